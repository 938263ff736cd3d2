package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"clauster/pkg/store"
)

// databasePath is where the database is: systemd says it to the service, and
// the words that clauster-ctl executes come to the same. In user mode systemd
// 252 would say ~/.config, so it is not asked.
func (w world) databasePath() string {
	dir, _, _ := strings.Cut(w.getenv("STATE_DIRECTORY"), ":")
	switch state := w.getenv("XDG_STATE_HOME"); {
	case dir != "" && !w.userMode:
	case !w.userMode:
		dir = "/var/lib/clauster/api"
	case filepath.IsAbs(state):
		dir = filepath.Join(state, "clauster/api")
	default:
		dir = filepath.Join(w.getenv("HOME"), ".local/state/clauster/api")
	}
	return filepath.Join(dir, "clauster.db")
}

// openDatabase opens the database for a word that a person runs. It is done as
// its owner alone: files made by root would lock the API out.
func (w world) openDatabase(ctx context.Context) (*store.Store, error) {
	path := w.databasePath()
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &exitError{exitUnreachable, fmt.Errorf("cannot open the database: there is no %s yet", dir), "systemctl restart clauster-api # makes it"}
	case err != nil:
		return nil, &exitError{exitUnreachable, fmt.Errorf("cannot open the database: %w", err), "sudo clauster-ctl does it as the right user"}
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return nil, &exitError{exitUnreachable, fmt.Errorf("cannot open the database: %s is another user's", dir), "sudo clauster-ctl does it as the right user"}
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return s, nil
}
