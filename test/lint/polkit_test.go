package lint

import (
	"regexp"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

// TestPolkitNamesAreOurNames: the rule lets through exactly the units that
// bridge.ParseInstance calls ours. A name the rule accepts and we do not would
// be a unit nobody checked.
func TestPolkitNamesAreOurNames(t *testing.T) {
	rules := read(t, "packaging/polkit.rules")
	name := regexp.MustCompile(`var name = "(.*)";`).FindStringSubmatch(rules)
	if name == nil {
		t.Fatal("packaging/polkit.rules has no «var name»")
	}
	for _, anchor := range []string{`"^clauster@" + name + "\\.service$"`, `"^clauster-bridge-" + name + "\\.scope$"`} {
		if !strings.Contains(rules, anchor) {
			t.Errorf("packaging/polkit.rules does not match the whole unit name with %s", anchor)
		}
	}
	whole := regexp.MustCompile("^" + name[1] + "$")
	p, l := strings.Repeat("p", bridge.MaxProjectLen), strings.Repeat("l", bridge.MaxLabelLen)
	for _, s := range []string{
		"", "a", "_", "-a", ".a", "a-", "a.b", "a..b", "A9_", "a b", "a/b", "../a", "a:b", "a:", ":b", "a:b:c", "a:-b", "a:.b",
		"a:b.c-d_e", "é", "a@b", "a\\x2d", "a\n", "a\nb", "a*", "a?", "a[b]", p, p + "p", p + ":" + l, p + ":" + l + "l",
	} {
		_, err := bridge.ParseInstance(s)
		if got := whole.MatchString(s); got != (err == nil) {
			t.Errorf("%q: the polkit rule says %v, ParseInstance says %v", s, got, err)
		}
	}
}

// TestPolkitVerbs: what the API and the group may ask of systemd, and no more.
func TestPolkitVerbs(t *testing.T) {
	rules := read(t, "packaging/polkit.rules")
	for _, must := range []string{
		`action.id !== "org.freedesktop.systemd1.manage-units"`,
		`["start", "stop", "restart", "reset-failed"].indexOf(verb) >= 0`,
		`verb === "stop" && subject.user !== "clauster"`,
	} {
		if !strings.Contains(rules, must) {
			t.Errorf("packaging/polkit.rules lacks %s", must)
		}
	}
	if n := strings.Count(rules, "polkit.Result.YES"); n != 2 {
		t.Errorf("packaging/polkit.rules says YES %d times, want 2", n)
	}
}
