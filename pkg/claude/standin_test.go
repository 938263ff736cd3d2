package claude

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/pkg/bridge"

	"github.com/creack/pty"
)

// run is one life of the stand-in claude on a terminal.
type run struct {
	t      *testing.T
	facts  []string
	screen *Screen
	log    Log
	marks  []string
}

// standIn builds test/fakeclaude once.
func standIn(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds test/fakeclaude")
	}
	path := filepath.Join(t.TempDir(), "claude")
	if out, err := exec.Command("go", "build", "-o", path, "../../test/fakeclaude").CombinedOutput(); err != nil {
		t.Skipf("cannot build the stand-in: %v\n%s", err, out)
	}
	return path
}

// live starts the stand-in in a mode and follows its terminal and debug file
// until until says so, or for five seconds.
func live(t *testing.T, binary string, mode bridge.Mode, behave string, until func(*run) bool) *run {
	t.Helper()
	d, project := home(t, nil)
	r := &run{t: t, screen: NewScreen(mode, 120)}
	if !strings.Contains(behave, "untrusted") {
		if _, err := Grant(context.Background(), d, project); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(project, ".fakeclaude"), "scale=0.05\n"+strings.ReplaceAll(behave, ";", "\n")+"\n")
	debug := filepath.Join(d.Home, "debug.log")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, Argv(Launch{Mode: mode, Name: "hello", DebugFile: debug, Permission: bridge.PermPlan})...)
	cmd.Dir = project
	cmd.Env, _ = Environ{Home: d.Home, User: "op"}.Build()
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	go func() { <-ctx.Done(); _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()
	emit := func(f Fact) { r.facts = append(r.facts, describeFact(f)) }
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		r.screen.Feed(buf[:n], emit)
		r.screen.Settle(emit)
		r.readLog(debug)
		if err != nil || until(r) {
			break
		}
	}
	cancel()
	_ = cmd.Wait()
	r.readLog(debug)
	return r
}

func (r *run) readLog(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return
	}
	r.log, r.marks = Log{}, nil
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		if m, ok := r.log.Line(s.Bytes()); ok {
			r.marks = append(r.marks, m.Kind.String())
		}
	}
	r.marks = append(r.marks, "cause "+r.log.Cause().Name)
}

// saw reports whether every wanted fact (by its beginning) and marker is there.
func (r *run) saw(want []string) bool {
	for _, w := range want {
		if !slices.Contains(r.marks, w) && !slices.ContainsFunc(r.facts, func(f string) bool { return strings.HasPrefix(f, w) }) {
			return false
		}
	}
	return true
}

// The stand-in was written from the same notes by another hand, on a real
// terminal: each life must be recognised by what it says.
func TestStandIn(t *testing.T) {
	binary := standIn(t)
	tests := []struct {
		mode   bridge.Mode
		behave string
		want   []string
		ready  bool
	}{
		{bridge.Standard, "ready", []string{"BridgeInit", "EnvironmentRegistered", "SessionCreated", "PollLoop", "pane Connecting", "pane Connected", "capacity 1/32", "link https://claude.ai/code?environment=env_"}, true},
		{bridge.Standard, "ready-reconnect", []string{"SessionAdopted", "pane Connected"}, true},
		{bridge.Standard, "env-no-poll", []string{"EnvironmentRegistered"}, false},
		{bridge.Standard, "crash-at-start=logged-out", []string{"failure logged-out"}, false},
		{bridge.Standard, "crash-at-start=no-subscription", []string{"failure no-subscription"}, false},
		{bridge.Standard, "crash-at-start=token-kind", []string{"failure token-kind"}, false},
		{bridge.Standard, "crash-at-start=gate", []string{"failure account-gate"}, false},
		{bridge.Standard, "crash-at-start=gate-old", []string{"failure account-gate"}, false},
		{bridge.Standard, "crash-at-start=eligibility-unknown", []string{"failure eligibility-unknown"}, false},
		{bridge.Standard, "crash-at-start=feature-flag", []string{"failure feature-flags"}, false},
		{bridge.Standard, "crash-at-start=provider", []string{"failure provider"}, false},
		{bridge.Standard, "crash-at-start=policy", []string{"failure org-policy"}, false},
		{bridge.Standard, "crash-at-start=policy-compliance", []string{"failure org-policy"}, false},
		{bridge.Standard, "crash-at-start=policy-organization", []string{"failure org-policy"}, false},
		{bridge.Standard, "crash-at-start=trusted-device", []string{"failure trusted-devices"}, false},
		{bridge.Standard, "crash-at-start=device-expired", []string{"failure trusted-devices"}, false},
		{bridge.Standard, "crash-at-start=untrusted", []string{"failure untrusted"}, false},
		{bridge.Standard, "crash-at-start=registration-400", []string{"failure registration-400"}, false},
		{bridge.Standard, "crash-at-start=registration-401", []string{"failure login-rejected"}, false},
		{bridge.Standard, "crash-at-start=registration-503", []string{"failure registration-5xx"}, false},
		{bridge.Standard, "crash-at-start=bridge-environments", []string{"failure registration-400"}, false},
		{bridge.Standard, "crash-at-start=unreachable", []string{"failure network"}, false},
		{bridge.Standard, "crash-at-start=corrupt-config", []string{"failure corrupt-config"}, false},
		{bridge.Standard, "prompt-trust", []string{"prompt prompt-trust"}, false},
		{bridge.Standard, "prompt-trust;trust-dialog=line", []string{"prompt prompt-trust"}, false},
		{bridge.Standard, "prompt-consent", []string{"prompt prompt-consent"}, false},
		{bridge.Standard, "prompt-spawn", []string{"prompt prompt-spawn"}, false},
		{bridge.Standard, "ready-no-session", []string{"SessionTrouble", "pane Ready"}, true},
		{bridge.Standard, "overloaded-503", []string{"SessionTrouble"}, true},
		{bridge.Standard, "529", []string{"event [", "api overloaded"}, true},
		{bridge.Standard, "rate-limit", []string{"api limit", "api rejected", "api throttled"}, true},
		{bridge.Standard, "enoent-sessions", []string{"failure spawn-enoent"}, true},
		{bridge.Standard, "poll-fatal-401", []string{"Fatal", "SessionFailed", "failure poll-refused-401"}, true},
		{bridge.Standard, "poll-fatal-403", []string{"Fatal", "failure poll-refused-403"}, true},
		{bridge.Standard, "giveup-after=0:for=1", []string{"pane Reconnecting", "failure network"}, true},
		{bridge.Standard, "poisoned-reattach", []string{"PoisonedReattach"}, true},
		{bridge.Standard, "poisoned-reattach=deleted", []string{"PoisonedReattach"}, true},
		{bridge.Standard, "stale-pointer-404", []string{"PointerStale"}, true},
		{bridge.Standard, "capacity-full", []string{"capacity 32/32"}, true},
		{bridge.PTY, "ready", []string{"SessionCreated", "ReplState", "rc active", "link https://claude.ai/code/session_"}, true},
		{bridge.PTY, "url=printed", []string{"rc active", "link https://claude.ai/code/session_"}, true},
		{bridge.PTY, "flag-not-logged-in", []string{"FlagIgnored", "failure flag-not-logged-in"}, false},
		{bridge.PTY, "crash-at-start=no-subscription", []string{"FlagIgnored"}, false},
		{bridge.PTY, "crash-at-start=gate", []string{"FlagIgnored", "cause account-gate"}, false},
		{bridge.PTY, "crash-at-start=feature-flag", []string{"FlagIgnored", "cause feature-flags"}, false},
		{bridge.PTY, "crash-at-start=provider", []string{"FlagIgnored", "cause provider"}, false},
		{bridge.PTY, "crash-at-start=policy", []string{"FlagIgnored", "cause org-policy"}, false},
		{bridge.PTY, "crash-at-start=policy-organization", []string{"FlagIgnored", "cause org-policy"}, false},
		{bridge.PTY, "crash-at-start=trusted-device", []string{"FlagIgnored", "cause trusted-devices"}, false},
		{bridge.PTY, "crash-at-start=eligibility-unknown", []string{"FlagIgnored", "cause eligibility-unknown"}, false},
		{bridge.PTY, "flag-init-failed", []string{"rc failed"}, false},
		{bridge.PTY, "prompt-trust", []string{"prompt prompt-trust"}, false},
		{bridge.PTY, "prompt-mcp=a", []string{"prompt prompt-mcp"}, false},
		{bridge.PTY, "reconnect-after=0:for=1", []string{"rc reconnecting"}, true},
		{bridge.PTY, "529", []string{"api overloaded"}, true},
	}
	for _, tt := range tests {
		t.Run(string(tt.mode)+" "+tt.behave, func(t *testing.T) {
			wasReady := false
			r := live(t, binary, tt.mode, tt.behave, func(r *run) bool {
				wasReady = wasReady || r.log.Ready(tt.mode)
				return r.saw(tt.want) && wasReady == tt.ready
			})
			if !r.saw(tt.want) || wasReady != tt.ready {
				t.Errorf("want %q, ready %v\nfacts %q\nmarkers %q, ready %v\n%s", tt.want, tt.ready, r.facts, slices.Compact(r.marks), wasReady, r.screen.Text())
			}
		})
	}
}
