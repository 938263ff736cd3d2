package journal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Priority is a syslog priority. The zero value, emergency, is never meant
// and stands for "the usual one".
type Priority int

// The priorities in use.
const (
	Err     Priority = 3
	Warning Priority = 4
	Notice  Priority = 5
	Info    Priority = 6
	Debug   Priority = 7
)

// Fields are journal fields by name. Values may hold any bytes; empty values
// are left out.
type Fields map[string]string

// appendField adds one field in journald's native form: NAME=value, or, for a
// value of several lines, the name, a 64-bit little-endian length and the
// value. Names that journald would refuse, and those only it may set, are left
// out.
func appendField(dst []byte, name, value string) []byte {
	if value == "" || !validName(name) {
		return dst
	}
	dst = append(dst, name...)
	if strings.IndexByte(value, '\n') < 0 {
		dst = append(dst, '=')
	} else {
		dst = append(dst, '\n')
		dst = binary.LittleEndian.AppendUint64(dst, uint64(len(value)))
	}
	dst = append(dst, value...)
	return append(dst, '\n')
}

// validName follows journal_field_valid: up to 64 of A-Z, 0-9 and _, not
// beginning with a digit or (reserved for journald) with _.
func validName(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '_' || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// NewID makes the id of an event: a UUIDv7 (RFC 9562), whose leading 48 bits
// are the time in milliseconds, so that ids sort by time.
func NewID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
