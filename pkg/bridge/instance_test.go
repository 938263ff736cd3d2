package bridge

import (
	"errors"
	"strings"
	"testing"
)

func TestParseInstance(t *testing.T) {
	longest := strings.Repeat("p", MaxProjectLen) + ":" + strings.Repeat("l", MaxLabelLen)
	for _, good := range []string{"a", "_x", "9", "blog", "my.site-2", "blog:two", "a:b.c-d", longest} {
		i, err := ParseInstance(good)
		if err != nil || i.String() != good {
			t.Errorf("ParseInstance(%q) = %q, %v", good, i, err)
		}
		for _, unit := range []string{i.Unit(), i.Scope()} {
			if back, ok := InstanceOfUnit(unit); !ok || back != i {
				t.Errorf("InstanceOfUnit(%q) = %v, %v", unit, back, ok)
			}
			if len(unit) > 255 {
				t.Errorf("unit name of %d bytes", len(unit))
			}
		}
	}
	for _, bad := range []string{"", ".", "..", ".hidden", "-flag", "a/b", "a b", "ü", "a:b:c", ":b", "a:", "a:-b", "a\\x2d", "a\n", "a%i", "a@b",
		strings.Repeat("p", MaxProjectLen+1), "a:" + strings.Repeat("l", MaxLabelLen+1)} {
		_, err := ParseInstance(bad)
		var name *NameError
		if !errors.As(err, &name) {
			t.Errorf("ParseInstance(%q) = %v, want a NameError", bad, err)
		}
	}
	for _, foreign := range []string{"ssh.service", "clauster@.service", "clauster@a b.service", "clauster-bridge-.scope", "clauster@a.timer"} {
		if i, ok := InstanceOfUnit(foreign); ok {
			t.Errorf("InstanceOfUnit(%q) = %v", foreign, i)
		}
	}
}

func FuzzParseInstance(f *testing.F) {
	for _, s := range []string{"blog", "blog:two", "..", "a/b", "a:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseInstance(s)
		if err != nil {
			return
		}
		if i.String() != s || strings.ContainsAny(s, "/\x00 \n%$\\@") || s[0] == '.' || s[0] == '-' {
			t.Fatalf("accepted %q as %#v", s, i)
		}
	})
}
