package fleet

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	p, ok := parseStat(7, []byte("7 (a) (b c) S 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 2 0\n"))
	if !ok || p != (process{7, 3, "a) (b c", 4711, 2 * uint64(os.Getpagesize())}) {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, bad := range []string{"", "7 (x", ") (", "7 (x) S", "7 (x) S a 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 b 0"} {
		if _, ok := parseStat(7, []byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestClaudeOf(t *testing.T) {
	reaper := process{10, 1, keeperComm, 100, 0}
	claude := process{11, 10, "claude", 101, 0}
	orphan := process{13, 10, "sh", 300, 0} // a grandchild that the reaper inherited
	child := process{12, 11, "sh", 50, 0}   // started "before" by a forged clock
	for _, tc := range []struct {
		name  string
		procs []process
		want  int
	}{
		{"nobody", nil, 0},
		{"gate only", []process{reaper}, 0},
		{"as it should be", []process{orphan, child, claude, reaper}, 11},
		{"reaper killed", []process{orphan, claude}, 11},
		{"claude ended, leftovers", []process{reaper, orphan}, 13},
	} {
		if got := claudeOf(tc.procs); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
