package keeper

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestKeyIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session_ref.key")
	first, err := loadKey(path)
	if err != nil || len(first) != keySize {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := loadKey(path)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("another key at the second start (%v)", err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil { // the pattern is well-formed
		t.Errorf("left over: %v", left)
	}
}

// An empty key file, as a power cut left it, made every session_ref vanish.
func TestKeyThatAPowerCutEmptiedIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session_ref.key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := loadKey(path)
	if err != nil || len(key) != keySize {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
}
