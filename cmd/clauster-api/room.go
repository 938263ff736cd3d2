package main

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/store"
)

// How long to wait before a full disk is tried again.
const (
	firstRoom = time.Second
	lastRoom  = time.Minute
)

// awaitRoom ends a service that began on a full disk once its database can be
// opened: everything that needs one is made at the start, so systemd starts it
// again. It was said that Clauster goes on by itself, and it did not.
func (d *daemon) awaitRoom(ctx context.Context) {
	path, err := d.databasePath()
	for delay := firstRoom; err == nil; delay = min(2*delay, lastRoom) {
		again := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
		if fullDisk(ctx, path) {
			continue
		}
		if ctx.Err() == nil {
			d.fail(&exitError{exitTemporary, errors.New("the database's disk is not full any more: systemd starts the service again"), ""})
		}
		return
	}
}

// fullDisk reports whether the database cannot be opened for want of room.
func fullDisk(ctx context.Context, path string) bool {
	s, err := store.Open(ctx, path)
	if err == nil {
		_ = s.Close()
	}
	var refused *store.RefusedError
	return errors.As(err, &refused) && refused.Reason == store.Full
}
