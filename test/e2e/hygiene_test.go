package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// witness is a claude that writes down what it was born with and then goes on
// as the stand-in. Children look at the shell from outside, since it adds to its
// own environment; the only descriptor it opens is its script (a subshell,
// because dash redirects a simple command in itself). Its status it reads itself:
// while dash starts another program it blocks every signal.
const witness = `#!/bin/sh
out=%[1]s/born.run
[ "$1" != --version ] || out=%[1]s/born.version
if [ ! -e "$out" ]; then
    (find /proc/$$/fd -type l -printf 'fd %%f %%l\n' >"$out")
    {
        tr '\0' '\n' </proc/$$/environ | sed 's/^/env /'
        while IFS= read -r line; do echo "status $line"; done </proc/$$/status
        sed 's/^/limit /' /proc/$$/limits
        echo "oom $(cat /proc/$$/oom_score_adj)"
        echo "umask $(umask)"
        echo "cwd $(readlink /proc/$$/cwd)"
    } >>"$out"
fi
exec /home/op/.local/bin/claude "$@"
`

// TestLaunchHygiene: whatever the service has, the bridge is born with three
// descriptors, a built environment, no capability and no signal ignored.
func TestLaunchHygiene(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name, dir = "safe-hygiene", "/home/op/projects/safe-hygiene"
	b.newProject(name, nil)
	b.MustWriteFile(dir+"/claude", fmt.Sprintf(witness, dir), 0o755, "op")
	b.MustWriteFile("/etc/clauster/hygiene.toml", "user = \"op\"\n[claude]\nbinary = \""+dir+"/claude\"\npath_append = [\"~/more bin\"]\n"+
		"[claude.env]\nOF_THE_PROJECT = \"a 'quoted' $value\"\nNOTIFY_SOCKET = \"/run/systemd/notify\"\nCLAUDE_CODE_ENTRYPOINT = \"x\"\n", 0o640, "")
	b.MustWriteFile("/etc/clauster/secret", "2.1.145\n", 0o600, "")
	b.dropIn(name, `Environment=CLAUSTER_CONFIG=/etc/clauster/hygiene.toml CLAUSTER_LOG_LEVEL=info LANG=C CLAUDE_CODE_USE_BEDROCK=1
Environment=ANTHROPIC_API_KEY=sk-ant-of-the-service SOMETHING=else
LoadCredential=clauster.claude.min_version:/etc/clauster/secret
StandardInput=null
Nice=5
UMask=0007
`)
	b.mustStart(name)

	wantEnv := []string{"DISABLE_AUTOUPDATER=1", "HOME=/home/op", "LANG=C", "LOGNAME=op", "OF_THE_PROJECT=a 'quoted' $value",
		"PATH=/home/op/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/home/op/more bin", "SHELL=/bin/bash",
		"TERM=xterm-256color", "USER=op"}
	for _, when := range []string{"run", "version"} {
		born := b.MustReadFile(dir + "/born." + when)
		if env := field(born, "env"); !slices.Equal(env, wantEnv) {
			t.Errorf("%s: environment\n%q, want\n%q", when, env, wantEnv)
		}
		for _, fd := range field(born, "fd") {
			number, target, _ := strings.Cut(fd, " ")
			switch standard := slices.Contains([]string{"0", "1", "2"}, number); {
			case !standard && target != dir+"/claude":
				t.Errorf("%s: inherited descriptor %s", when, fd)
			case standard && when == "run" && !strings.HasPrefix(target, "/dev/pts/"):
				t.Errorf("%s: descriptor %s is not the terminal", when, fd)
			}
		}
		status := strings.Join(field(born, "status"), "\n") + "\n"
		for _, want := range powerless() {
			if !strings.Contains(status, want+"\n") {
				t.Errorf("%s: no %q in\n%s", when, want, status)
			}
		}
		for _, mask := range []string{"SigBlk", "SigIgn"} {
			if signals := signalsIn(t, status, mask); signals != 0 {
				t.Errorf("%s: %s %x", when, mask, signals)
			}
		}
		if got := field(born, "oom"); got[0] != "0" {
			t.Errorf("%s: oom_score_adj %s", when, got)
		}
		if got := field(born, "cwd"); when == "run" && got[0] != dir {
			t.Errorf("%s: working directory %s", when, got)
		}
	}
	// The keeper, once the bridge runs, is nobody special either.
	status := b.MustSh(`cat "/proc/$1/status"`, fmt.Sprint(b.keeperPID(name)))
	for _, want := range powerless() {
		if !strings.Contains(status, want+"\n") {
			t.Errorf("keeper: no %q in\n%s", want, status)
		}
	}
	b.stop(name)
	if n := len(b.MustJournal("_SYSTEMD_UNIT=clauster@"+name+".service", "CLAUSTER_EVENT=warning")); n != 2 {
		t.Errorf("%d warnings, want one for each reserved variable", n)
	}
}

// powerless are the lines in /proc/PID/status of a process of the bridge user
// that can become nobody else.
func powerless() []string {
	return []string{"Uid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t1000", "Groups:\t1000 ", "NoNewPrivs:\t1",
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"}
}

// field gives the lines that begin with a word, without it.
func field(text, word string) []string {
	var values []string
	for line := range strings.Lines(text) {
		if v, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), word+" "); found {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// signalsIn reads a mask of /proc/PID/status, without the two signals that the
// C library keeps for itself: systemd cannot reset those, so what started the
// tests shows through in them.
func signalsIn(t *testing.T, status, field string) uint64 {
	t.Helper()
	_, rest, _ := strings.Cut(status, field+":\t")
	mask, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		t.Errorf("no %s in\n%s", field, status)
	}
	const libc = 1<<(32-1) | 1<<(33-1)
	return n &^ libc
}
