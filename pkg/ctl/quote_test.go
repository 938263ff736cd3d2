package ctl

import (
	"os/exec"
	"testing"
)

func TestShellWord(t *testing.T) {
	for _, word := range []string{"/home/op/projects/blog", "", "a b", "$(id)", `'q' "d" \ %i`, "é\n-x", "~", "*"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellWord(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q as %s is read as %q (%v)", word, shellWord(word), out, err)
		}
	}
	if got := shellWord("/home/op/projects/blog"); got != "/home/op/projects/blog" {
		t.Errorf("a plain path is quoted: %s", got)
	}
}
