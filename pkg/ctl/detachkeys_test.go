package ctl

import "testing"

func TestDetachKeys(t *testing.T) {
	type step struct{ typed, send string }
	for _, tc := range []struct {
		keys   string
		steps  []step
		detach bool
	}{
		{"ctrl-]", []step{{"ls\r", "ls\r"}, {"x\x1dy", "x"}}, true},
		{"ctrl-]", []step{{"\x1b[93;5u", ""}}, true},    // kitty
		{"ctrl-]", []step{{"\x1b[27;5;93~", ""}}, true}, // modifyOtherKeys
		{"ctrl-p,ctrl-q", []step{{"\x10", ""}, {"\x11", ""}}, true},
		{"ctrl-p,ctrl-q", []step{{"\x10", ""}, {"a", "\x10a"}, {"\x10\x10", "\x10"}, {"\x11", ""}}, true},
		{"ctrl-a,d", []step{{"d\x01", "d"}, {"x", "\x01x"}}, false},
	} {
		d, err := parseDetachKeys(tc.keys)
		if err != nil {
			t.Fatal(err)
		}
		left := false
		for _, s := range tc.steps {
			send, detach := d.filter([]byte(s.typed))
			if string(send) != s.send {
				t.Errorf("%s: %q sends %q, want %q", tc.keys, s.typed, send, s.send)
			}
			left = detach
		}
		if left != tc.detach {
			t.Errorf("%s: detached %v", tc.keys, left)
		}
	}
	for _, bad := range []string{"", "ctrl-", "ctrl-1", "ctrl-p,", "esc", "ctrl-é"} {
		if _, err := parseDetachKeys(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
