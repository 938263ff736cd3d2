package auth

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerGroups is SO_PEERGROUPS, which golang.org/x/sys has no call for: the
// supplementary groups of the peer when it connected.
func peerGroups(fd int) ([]int, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == unix.ERANGE && int(size/4) > len(groups) {
			groups = make([]uint32, size/4) // at most 65536 (NGROUPS_MAX)
			continue
		}
		if errno != 0 {
			return nil, errno
		}
		list := make([]int, size/4)
		for i := range list {
			list[i] = int(groups[i])
		}
		return list, nil
	}
}
