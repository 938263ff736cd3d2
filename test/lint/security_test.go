package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ceiling is the exposure that no unit of ours may exceed.
const ceiling = 5.0

// userFacts is what holds for a unit of a user manager whatever the unit says:
// it runs as that user, without capabilities, and so cannot reach the clock,
// the kernel's settings or its modules. systemd-analyze does not know that
// offline and scores the unit as if it ran as root with everything.
const userFacts = `
[Service]
User=alice
CapabilityBoundingSet=
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
`

// TestSecurityScores: no unit is more exposed than it was when its score was
// written down, give or take 0.1.
func TestSecurityScores(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed")
	}
	scores := map[string]float64{}
	for _, line := range strings.Split(read(t, "packaging/security-scores"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		score, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatalf("packaging/security-scores: %q: %v", line, err)
		}
		scores[words[0]] = score
	}
	for _, unit := range walk(t, func(name string) bool { return strings.HasSuffix(name, ".service") }) {
		want, ok := scores[unit]
		if !ok {
			t.Errorf("%s is not in packaging/security-scores", unit)
			continue
		}
		got := exposure(t, unit)
		t.Logf("%s: exposure %.1f, written down %.1f", unit, got, want)
		if limit := min(want+0.1, ceiling); got > limit+1e-9 {
			t.Errorf("%s: exposure %.1f is above %.1f", unit, got, limit)
		}
	}
}

var overall = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

func exposure(t *testing.T, unit string) float64 {
	t.Helper()
	text := read(t, unit)
	if strings.HasPrefix(unit, "units/user/") {
		text += userFacts
	}
	path := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", path)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0")
	out, err := cmd.CombinedOutput()
	match := overall.FindSubmatch(out)
	if match == nil {
		t.Fatalf("systemd-analyze security %s: %v\n%s", unit, err, out)
	}
	score, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return score
}
