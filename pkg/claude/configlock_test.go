package claude

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A host whose clock went back in a power cut finds the lock that was held then
// with a time that is still to come.
func TestLockOrphanedInTheFuture(t *testing.T) {
	config := "{}"
	d, project := home(t, &config)
	lock := d.Config() + ".lock"
	mkdir(t, lock)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		future := began.Add(24 * time.Hour)
		if err := os.Chtimes(lock, future, future); err != nil {
			t.Fatal(err)
		}
		if _, err := Grant(t.Context(), d, project); err != nil {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if waited := time.Since(began); waited < lockStale {
			t.Errorf("broken after %s only: somebody may hold it", waited)
		}
	})
}

func TestBackupIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"before", "after"} {
		if err := backUp(dir+"/backup", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || read(t, dir+"/backup") != "before" {
		t.Errorf("%v, %v", entries, err)
	}
}
