package ctl

import (
	"bytes"
	"fmt"
	"strings"
)

// defaultDetach is the key of telnet: on no layout of claude's own keys.
const defaultDetach = "ctrl-]"

// detacher finds the detach keys in what an operator types. Not safe for
// concurrent use.
type detacher struct {
	keys [][][]byte // for each key the byte forms in which terminals send it
	next int        // keys seen so far
	held []byte     // their bytes, sent on should the next key be another
}

// parseDetachKeys reads "ctrl-]", "ctrl-p,ctrl-q" or "ctrl-a,d".
func parseDetachKeys(s string) (*detacher, error) {
	d := &detacher{}
	for name := range strings.SplitSeq(s, ",") {
		forms := keyForms(name)
		if forms == nil {
			return nil, usage(`--detach-keys ctrl-], --detach-keys ctrl-p,ctrl-q`,
				"cannot use detach keys %q: %q is neither one character nor ctrl- and one of a-z @ [ \\ ] ^ _", s, name)
		}
		d.keys = append(d.keys, forms)
	}
	return d, nil
}

// keyForms gives the bytes of a key: the plain one, and for ctrl those of the
// kitty protocol and of xterm's modifyOtherKeys, which claude turns on where a
// terminal has them.
func keyForms(name string) [][]byte {
	char, ctrl := strings.CutPrefix(strings.ToLower(name), "ctrl-")
	if len(char) != 1 || char[0] <= ' ' || char[0] > '~' {
		return nil
	}
	c := char[0]
	switch {
	case !ctrl:
		return [][]byte{[]byte(name)}
	case c >= 'a' && c <= 'z' || strings.IndexByte(`@[\]^_`, c) >= 0:
		return [][]byte{{c & 0x1f}, fmt.Appendf(nil, "\x1b[%d;5u", c), fmt.Appendf(nil, "\x1b[%d;5:1u", c),
			fmt.Appendf(nil, "\x1b[27;5;%d~", c)}
	}
	return nil
}

// filter takes what was typed and gives what is to be sent; detach is true
// once the keys are complete, and what follows them is dropped.
func (d *detacher) filter(typed []byte) (send []byte, detach bool) {
	for len(typed) > 0 {
		n := d.match(typed)
		if n == 0 && d.next > 0 {
			send = append(send, d.held...)
			d.next, d.held = 0, nil
			continue // it may be the first key again
		}
		if n == 0 {
			send, typed = append(send, typed[0]), typed[1:]
			continue
		}
		d.held, typed = append(d.held, typed[:n]...), typed[n:]
		if d.next++; d.next == len(d.keys) {
			d.next, d.held = 0, nil
			return send, true
		}
	}
	return send, false
}

// match gives the length of the next key's form at the beginning of typed.
func (d *detacher) match(typed []byte) int {
	for _, form := range d.keys[d.next] {
		if bytes.HasPrefix(typed, form) {
			return len(form)
		}
	}
	return 0
}
