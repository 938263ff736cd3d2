package claude

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// claude locks ~/.claude.json by making the directory ~/.claude.json.lock. It
// refreshes the directory's time while it holds the lock and now and then
// leaves it behind; a lock not refreshed for lockStale is nobody's. A plain
// file of that name, as the Python Clauster made for its flock, makes every
// save of claude fail for 1.5 s, so it must never be made with open.
const (
	lockStale = 10 * time.Second
	lockWait  = 15 * time.Second // longer than lockStale, so that an orphaned lock is outlived
	lockTick  = 50 * time.Millisecond
)

// lockConfig takes claude's lock on a configuration file.
func lockConfig(ctx context.Context, file string) (unlock func(), err error) {
	lock := file + ".lock"
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(lockTick)
	defer tick.Stop()
	var seen sighting
	for {
		err := os.Mkdir(lock, 0o755)
		if err == nil {
			return func() { _ = os.Remove(lock) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, cannot("lock", file, err)
		}
		if err := breakStale(lock, &seen); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot lock %s: %s is held: %w", file, lock, ctx.Err())
		case <-tick.C:
		}
	}
}

// sighting is when a lock was first seen with the time that it has.
type sighting struct{ stamp, at time.Time }

// breakStale removes a lock that nobody holds any more: its time is old, or has
// not moved for lockStale under our eyes. The latter is for a host whose clock
// went back in a power cut: there the orphan's time lies in the future and
// would keep every launch from its trust for as long. The directory is empty,
// so that rmdir is all it takes; whoever loses the race for the next mkdir
// waits on.
func breakStale(lock string, seen *sighting) error {
	info, err := os.Lstat(lock)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cannot("look at lock", lock, err)
	case !info.IsDir():
		return fmt.Errorf("cannot take lock %s: it is no directory and claude cannot take it either; remove it: rm %s", lock, lock)
	}
	stamp := info.ModTime()
	if !stamp.Equal(seen.stamp) {
		*seen = sighting{stamp, time.Now()}
	}
	if time.Since(stamp) > lockStale || time.Since(seen.at) > lockStale {
		_ = os.Remove(lock)
	}
	return nil
}
