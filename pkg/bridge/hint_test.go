package bridge

import "testing"

func TestForUser(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"clauster-ctl trust blog, then: clauster-ctl start blog":      "clauster-ctl --user trust blog, then: clauster-ctl --user start blog",
		"its scope is frozen: systemctl thaw clauster-bridge-x.scope": "its scope is frozen: systemctl --user thaw clauster-bridge-x.scope",
		"sudo clauster-ctl token list shows them":                     "clauster-ctl --user token list shows them",
		"loginctl enable-linger op":                                   "loginctl enable-linger op",
	} {
		if got := ForUser(in); got != want || ForUser(got) != want {
			t.Errorf("%q gives %q and then %q, want %q", in, got, ForUser(got), want)
		}
	}
}
