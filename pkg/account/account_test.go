package account

import (
	"os"
	"strings"
	"testing"
)

// TestLookupRefuses: root is no bridge user, and nobody is not there.
func TestLookupRefuses(t *testing.T) {
	for _, name := range []string{"root", "no-such-login"} {
		if u, _, err := Lookup(name, func() ([]byte, error) { return os.ReadFile("/etc/passwd") }); err == nil {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

// TestConfined: each line that says too much, or nothing.
func TestConfined(t *testing.T) {
	good := "Uid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000000000c0\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
	if err := Confined(good); err != nil {
		t.Error(err)
	}
	for name, status := range map[string]string{
		"saved root":   strings.Replace(good, "1000\t1000\nCapInh", "0\t1000\nCapInh", 1),
		"a capability": strings.Replace(good, "CapPrm:\t0000000000000000", "CapPrm:\t0000000000000080", 1),
		"an ambient":   strings.Replace(good, "CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001", 1),
		"privileges":   strings.Replace(good, "NoNewPrivs:\t1", "NoNewPrivs:\t0", 1),
		"old kernel":   strings.Replace(good, "NoNewPrivs:\t1\n", "", 1),
		"nothing":      "",
	} {
		if status == good {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if err := Confined(status); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
