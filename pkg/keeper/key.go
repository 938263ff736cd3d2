package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const keySize = 32

// sessionKey reads the key of session_ref, or makes it: 32 bytes, root's
// alone.
func (k *keeper) sessionKey() ([]byte, error) {
	return loadKey(filepath.Join(k.dirs.state, "session_ref.key"))
}

// loadKey gives the key in a file and makes one where there is none. A file of
// another length is half a key: an earlier release did not sync it, and a power
// cut left it empty for ever, and every session without a reference.
func loadKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == keySize:
		return key, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if err := makeKey(path, err == nil); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	if key, err = os.ReadFile(path); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return key, nil
}

// makeKey writes a new key durably. Two first launches may race: the link fails
// for the second, which then reads what the first one made.
func makeKey(path string, damaged bool) error {
	temp := path + "." + strconv.Itoa(os.Getpid())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	_, err = f.Write(key)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if damaged {
		err = os.Rename(temp, path)
	} else if err = os.Link(temp, path); errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}

// syncDir makes a new name in a directory survive a power cut.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
