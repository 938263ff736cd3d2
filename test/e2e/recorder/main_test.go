package main

import (
	"fmt"
	"strings"
	"testing"
)

// The recorder must be able to see what it is there for.
func TestFaults(t *testing.T) {
	whole := ""
	for n := 1; n <= 100; n++ {
		whole += fmt.Sprintf("#%08d\r\n", n)
		if n == 50 {
			whole += "a pane\x1b[1m #12 \r\n"
		}
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"whole":         {whole, true},
		"a lost line":   {strings.Replace(whole, "#00000042\r\n", "", 1), false},
		"a doubled one": {strings.Replace(whole, "#00000042\r\n", "#00000042\r\n#00000042\r\n", 1), false},
		"a lost digit":  {strings.Replace(whole, "#00000042", "#0000042", 1), false},
		"a lost end":    {strings.Replace(whole, "42\r\n", "42", 1), false},
		"a doubled #":   {strings.Replace(whole, "#00000042", "##00000042", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{out: &strings.Builder{}}
			for i := 0; i < len(c.text); i += 7 { // in odd pieces
				r.seen.feed([]byte(c.text[i:min(i+7, len(c.text))]), r.number, func(l string) { r.fault("%s", l) })
			}
			if (r.faults == 0) != c.ok {
				t.Errorf("%d faults", r.faults)
			}
		})
	}
}
