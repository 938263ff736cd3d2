package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCachedBuildsOnce(t *testing.T) {
	d := dirs{t.TempDir()}
	var builds atomic.Int32
	build := func(_ context.Context, tmp string) error {
		builds.Add(1)
		if err := os.Mkdir(tmp, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, "whole"), nil, 0o644)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := d.cached(context.Background(), "root-x", build)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "whole")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if builds.Load() != 1 {
		t.Errorf("built %d times", builds.Load())
	}
}

// What a killed build left must neither be taken for a root nor stop the next
// build; a failed one leaves nothing.
func TestCachedAfterKilledBuild(t *testing.T) {
	d := dirs{t.TempDir()}
	if err := os.MkdirAll(d.path("root-x.part/half"), 0o755); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no space")
	_, err := d.cached(context.Background(), "root-x", func(_ context.Context, tmp string) error {
		if _, err := os.Stat(tmp); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the half build is still there (%v)", err)
		}
		return errors.Join(broken, os.Mkdir(tmp, 0o755))
	})
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	left, err := filepath.Glob(d.path("root-x*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "root-x.lock" {
		t.Errorf("left: %v, %v", left, err)
	}
}
