package keeper

import "golang.org/x/sys/unix"

// littleRoom is free space, in bytes, with which systemd and a keeper cannot
// do their work.
const littleRoom = 64 << 10

// whyNot gives an error in words, and says so where a full disk is behind it:
// systemd calls a scope «not found» that it had no room to write down.
func (k *keeper) whyNot(err error) string {
	for _, dir := range []string{"/run", k.dirs.state} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && (st.Bavail*uint64(st.Bsize) < littleRoom || st.Files > 0 && st.Ffree == 0) {
			return err.Error() + " (the file system of " + dir + " is full)"
		}
	}
	return err.Error()
}
