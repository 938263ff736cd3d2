package auth

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	osuser "os/user"
	"strconv"
)

// ownership is what is known of the socket at the other end of a TCP
// connection.
type ownership int

const (
	notHere ownership = iota // no such socket in this network namespace: another machine
	owned                    // its owner's uid is known
	unclear                  // it is here and has no owner any more, or could not be looked for
)

// maxSockets bounds how much of the kernel's table of sockets is read, in bytes
// (some 200,000 sockets): an agent can open many.
const maxSockets = 32 << 20

// openProc opens the kernel's table of sockets: "tcp" or "tcp6". Below self,
// which ProcSubset=pid leaves.
func openProc(table string) (io.ReadCloser, error) { return os.Open("/proc/self/net/" + table) }

// ownerOf finds the socket of a TCP peer on this machine, by its two
// addresses, and tells whose it is.
//
// A process that closes its socket right after sending leaves one that the
// kernel shows as root's, with inode 0: an agent would pass as root. Such a
// socket has no owner here, and whoever asks refuses it.
func ownerOf(remote, local netip.AddrPort, open func(table string) (io.ReadCloser, error)) (int, ownership) {
	tables := []struct {
		name   string
		mapped bool
	}{{"tcp6", false}}
	if remote.Addr().Is4() {
		// An IPv4 connection by a program with an IPv6 socket is in tcp6.
		tables = []struct {
			name   string
			mapped bool
		}{{"tcp", false}, {"tcp6", true}}
	}
	// The table is not one moment's: a row can be missed while others go.
	for range 2 {
		for _, t := range tables {
			uid, what := searchTable(t.name, rowOf(remote, local, t.mapped), open)
			if what != notHere {
				return uid, what
			}
		}
	}
	return -1, notHere
}

func searchTable(name string, row []byte, open func(string) (io.ReadCloser, error)) (int, ownership) {
	f, err := open(name)
	if errors.Is(err, os.ErrNotExist) {
		return -1, notHere // no IPv6 in this kernel
	}
	if err != nil {
		return -1, unclear
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: maxSockets}
	lines := bufio.NewScanner(limited)
	for lines.Scan() {
		if i := bytes.Index(lines.Bytes(), row); i >= 0 {
			return ownerInRow(lines.Bytes()[i+len(row):])
		}
	}
	if lines.Err() != nil || limited.N <= 0 {
		return -1, unclear
	}
	return -1, notHere
}

// ownerInRow reads what follows the addresses: state, queues, timer,
// retransmissions, uid, timeout, inode.
func ownerInRow(rest []byte) (int, ownership) {
	f := bytes.Fields(rest)
	if len(f) < 7 {
		return -1, unclear
	}
	uid, err1 := strconv.ParseUint(string(f[4]), 10, 32)
	inode, err2 := strconv.ParseUint(string(f[6]), 10, 64)
	if err1 != nil || err2 != nil || inode == 0 {
		return -1, unclear
	}
	return int(uid), owned
}

// rowOf is how the table writes the peer's socket: its own address, then ours.
func rowOf(remote, local netip.AddrPort, mapped bool) []byte {
	return fmt.Appendf(nil, " %s %s ", tableAddr(remote, mapped), tableAddr(local, mapped))
}

// tableAddr prints the words of an address in the machine's byte order, as the
// kernel does.
func tableAddr(a netip.AddrPort, mapped bool) string {
	raw := a.Addr().AsSlice()
	if mapped {
		full := a.Addr().As16()
		raw = full[:]
	}
	var text []byte
	for ; len(raw) >= 4; raw = raw[4:] {
		text = fmt.Appendf(text, "%08X", binary.NativeEndian.Uint32(raw))
	}
	return fmt.Sprintf("%s:%04X", text, a.Port())
}

// accountName is a uid's login, or its number where it has none.
func accountName(uid int) string {
	if u, err := osuser.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
