package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash: 19 MiB, two passes (OWASP's smallest pair for
// argon2id). Clauster runs on small machines beside bridges.
const (
	newMemory = 19 * 1024 // KiB
	newTime   = 2
	newLanes  = 1
	newSalt   = 16 // bytes
	newSum    = 32 // bytes
)

// Bounds of a hash that somebody else made: the Python Clauster's are 64 MiB,
// three passes, four lanes. What is above would let one login take the machine.
const (
	maxMemory = 128 * 1024 // KiB
	maxTime   = 16
	maxLanes  = 16
)

// MinPassword is the shortest password that hash-password takes, in
// characters. Counted in bytes, five letters with accents passed.
const MinPassword = 10

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 1024

// phc is a parsed argon2id hash in the PHC string format.
type phc struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

var errPHC = errors.New("it is not an argon2id hash that can be used")

// HashPassword makes the PHC string of a password.
func HashPassword(password string) (string, error) {
	switch {
	case !utf8.ValidString(password): // a login is JSON, so nobody could ever say it
		return "", errors.New("cannot take this password: it is not UTF-8")
	case utf8.RuneCountInString(password) < MinPassword:
		return "", fmt.Errorf("cannot take this password: it is shorter than %d characters", MinPassword)
	case len(password) > maxPassword:
		return "", fmt.Errorf("cannot take this password: it is longer than %d bytes", maxPassword)
	}
	p := phc{memory: newMemory, time: newTime, lanes: newLanes, salt: make([]byte, newSalt)}
	_, _ = rand.Read(p.salt) // never fails
	p.sum = p.of(password, newSum)
	return p.String(), nil
}

func (p phc) of(password string, length int) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.lanes, uint32(length))
}

// matches compares in constant time.
func (p phc) matches(password string) bool {
	return len(password) <= maxPassword && subtle.ConstantTimeCompare(p.of(password, len(p.sum)), p.sum) == 1
}

// String prints the PHC string.
func (p phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.lanes, b64(p.salt), b64(p.sum))
}

// parsePHC reads a PHC string within the bounds.
func parsePHC(text string) (phc, error) {
	parts := strings.Split(text, "$")
	if len(text) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errPHC
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return phc{}, errPHC
	}
	var p phc
	var err error
	number := func(text, name string, most uint64) uint64 {
		digits, found := strings.CutPrefix(text, name+"=")
		n, e := strconv.ParseUint(digits, 10, 32)
		if !found || e != nil || n < 1 || n > most {
			err = errPHC
		}
		return n
	}
	p.memory, p.time, p.lanes = uint32(number(costs[0], "m", maxMemory)), uint32(number(costs[1], "t", maxTime)), uint8(number(costs[2], "p", maxLanes))
	if err != nil {
		return phc{}, err
	}
	strict := base64.RawStdEncoding.Strict()
	if p.salt, err = strict.DecodeString(parts[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return phc{}, errPHC
	}
	if p.sum, err = strict.DecodeString(parts[5]); err != nil || len(p.sum) < 16 || len(p.sum) > 64 {
		return phc{}, errPHC
	}
	return p, nil
}

// nobodysHash is compared with where there is no hash: a wrong password takes
// the same time with and without one. No password has this sum.
func nobodysHash() phc {
	return phc{memory: newMemory, time: newTime, lanes: newLanes, salt: make([]byte, newSalt), sum: make([]byte, newSum)}
}
