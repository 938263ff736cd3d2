package claude

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"clauster/pkg/bridge"

	"github.com/google/go-cmp/cmp"
)

func describeFact(f Fact) string {
	switch f.Kind {
	case FactPane:
		return "pane " + f.Text
	case FactCapacity:
		return fmt.Sprintf("capacity %d/%d", f.Sessions, f.Capacity)
	case FactLink:
		return "link " + f.Text
	case FactRC:
		return "rc " + f.Text
	case FactPrompt:
		return "prompt " + f.Text
	case FactEvent:
		return "event " + f.Text
	case FactAPIError:
		return "api " + f.API.Name
	case FactFailure:
		return "failure " + f.Cause.Name
	}
	return "?"
}

// watch feeds output in pieces of size and settles once at the end.
func watch(mode bridge.Mode, columns, size int, output string) (facts []string, s *Screen) {
	s = NewScreen(mode, columns)
	emit := func(f Fact) { facts = append(facts, describeFact(f)) }
	for output != "" {
		n := min(size, len(output))
		s.Feed([]byte(output[:n]), emit)
		output = output[n:]
	}
	s.Settle(emit)
	return facts, s
}

const (
	readyPane = "\x1b[32m·✔︎·\x1b[39m Ready · hello · HEAD\r\n    Capacity: 0/32 · New sessions will be created in the current directory\r\n" +
		"Code anywhere with the Claude mobile app or https://claude.ai/code?environment=env_01HelloWorld0000000000AA\r\nspace to show QR code\r\n"
	connectedPane = "·✔︎· Connected · hello · main\r\n    Capacity: 2/32 · New sessions will be created in the current directory\r\n" +
		"    my first session\r\n    ·✔︎· Ready · evil · title\r\n    https://claude.ai/code?environment=env_01EvilTitle000000000000\r\n    Enter to confirm\r\n" +
		"Continue coding in the Claude mobile app or https://claude.ai/code?environment=env_01HelloWorld0000000000AA\r\nspace to show QR code · w to toggle spawn mode\r\n"
	up4 = "\x1b[4A\x1b[0J"
)

func TestScreen(t *testing.T) {
	const link = "link https://claude.ai/code?environment=env_01HelloWorld0000000000AA"
	tests := []struct {
		name    string
		mode    bridge.Mode
		columns int
		in      string
		want    []string
	}{
		{"ready, redrawn", bridge.Standard, 120,
			"·|· Connecting · hello · HEAD\r" + "\x1b[2K·/· Connecting · hello · HEAD\r\x1b[2K" + readyPane + up4 + readyPane + up4 + readyPane,
			[]string{"pane Connecting", "pane Ready", "capacity 0/32", link}},
		{"sessions, and titles that lie", bridge.Standard, 120,
			readyPane + up4 + connectedPane,
			[]string{"pane Ready", "capacity 0/32", link, "pane Connected", "capacity 2/32"}},
		{"reconnecting", bridge.Standard, 120,
			readyPane + up4 + "·|· Reconnecting · retrying in 2.5s · disconnected 0s\r\n" + up4 + readyPane,
			[]string{"pane Ready", "capacity 0/32", link, "pane Reconnecting", "pane Ready"}},
		{"the link wraps at 80 columns", bridge.Standard, 80,
			"·✔︎· Ready · hello · HEAD\r\nCode anywhere with the Claude mobile app or https://claude.ai/code?environment=e\r\nnv_01HelloWorld0000000000AA\r\nspace to show QR code\r\n",
			[]string{"pane Ready", link}},
		{"the link wraps inside its id", bridge.Standard, 88,
			"Code anywhere with the Claude mobile app or https://claude.ai/code?environment=env_01Hel\r\nloWorld0000000000AA\r\nspace to show QR code\r\n",
			[]string{link}},
		{"the link ends with its line", bridge.Standard, 107,
			"Code anywhere with the Claude mobile app or https://claude.ai/code?environment=env_01HelloWorld0000000000AA\r\nspace to show QR code\r\n",
			[]string{link}},
		{"the documentation is no link", bridge.Standard, 120,
			"Learn more: https://code.claude.com/docs/en/remote-control\r\nhttps://claude.ai/code/docs\r\nhttps://claude.ai/code\r\nx\r\n", nil},
		{"session mode", bridge.Standard, 120,
			"·✔︎· Ready · hello · HEAD\r\nContinue at https://claude.ai/code/session_01HelloSession00000000BB?from=cli\r\n",
			[]string{"pane Ready", "link https://claude.ai/code/session_01HelloSession00000000BB"}},
		{"a disconnect told as an event outlives the redraw", bridge.Standard, 120,
			readyPane + "[14:38:31] Remote Control disconnected — Claude.ai login expired — run /login\r\n" + readyPane,
			[]string{"pane Ready", "capacity 0/32", link, "event [14:38:31] Remote Control disconnected — Claude.ai login expired — run /login", "failure login-expired"}},
		{"event lines, redrawn", bridge.Standard, 120,
			"[14:38:31] Session failed: Process exited with error\r\n" + readyPane + "\x1b[9A[14:38:31] Session failed: Process exited with error\r\n[14:38:32] Session completed (1m 41s)\r\n    [14:38:33] a title\r\n[14:38] short\r\n",
			[]string{"event [14:38:31] Session failed: Process exited with error", "pane Ready", "capacity 0/32", link, "event [14:38:32] Session completed (1m 41s)"}},
		{"not logged in", bridge.Standard, 120,
			"\x1b[0m\x1b[31mError: You must be logged in to use Remote Control.\x1b[0m\r\n",
			[]string{"failure logged-out"}},
		{"the first failure is the cause", bridge.Standard, 120,
			"Error: You must be logged in to use Remote Control.\r\n\r\nRemote Control is only available with claude.ai subscriptions.\r\n",
			[]string{"failure logged-out"}},
		{"the program is gone", bridge.Standard, 120,
			readyPane + "[14:38:31] Session failed: spawn error: ENOENT: posix_spawn '/x'\r\n" + up4 + readyPane + "[14:39:31] Session completed (1m 41s)\r\n",
			[]string{"pane Ready", "capacity 0/32", link, "event [14:38:31] Session failed: spawn error: ENOENT: posix_spawn '/x'", "failure spawn-enoent",
				"event [14:39:31] Session completed (1m 41s)", "failure "}},
		{"unreachable for a moment", bridge.Standard, 120,
			readyPane + "Server unreachable\r\n" + up4 + readyPane,
			[]string{"pane Ready", "capacity 0/32", link, "failure network", "failure "}},
		{"gave up", bridge.Standard, 120,
			readyPane + "Persistent errors for 10 minutes, giving up\r\n",
			[]string{"pane Ready", "capacity 0/32", link, "failure network"}},
		{"consent waits without a line end", bridge.Standard, 120,
			"Take this session with you wherever you go.\r\nEnable Remote Control? (y/n) ",
			[]string{"prompt prompt-consent"}},
		{"spawn mode, answered", bridge.Standard, 120,
			"Spawn mode for this project:\r\n  [1] same-dir\r\n  [2] worktree\r\nChoose [1/2] (default: 1): 1\r\n" + readyPane,
			[]string{"prompt prompt-spawn", "prompt ", "pane Ready", "capacity 0/32", link}},
		{"trust dialog in words placed by column", bridge.PTY, 120,
			"\x1b[2J\x1b[1;1HAccessing\x1b[11Gworkspace:\r\n/home/op/projects/hello\r\nQuick\x1b[7Gsafety\x1b[14Gcheck:\x1b[21GIs\x1b[24Gthis\x1b[29Ga\x1b[31Gproject\x1b[39Gyou\x1b[43Gcreated\x1b[51Gor\x1b[54Gone\x1b[58Gyou\x1b[62Gtrust?\r\n❯\x1b[3GNo,\x1b[7Gexit\r\n  Yes,\x1b[8GI\x1b[10Gtrust\x1b[16Gthis\x1b[21Gfolder\r\nEnter\x1b[7Gto\x1b[10Gconfirm\x1b[18G·\x1b[20GEsc\x1b[24Gto\x1b[27Gcancel",
			[]string{"prompt prompt-trust"}},
		{"MCP approval", bridge.PTY, 120,
			"│ New MCP server found in .mcp.json: files │\r\n│ Enter to confirm · Esc to reject │\r\n",
			[]string{"prompt prompt-mcp"}},
		{"unknown question", bridge.PTY, 120, "Pick one\r\nEnter to confirm · Esc to cancel", []string{"prompt prompt"}},
		{"pill with a hyperlink", bridge.PTY, 120,
			"? for shortcuts   \x1b]8;;https://claude.ai/code/session_01HelloSession00000000BB?from=cli\x1b\\/rc active\x1b]8;;\x1b\\\r\n",
			[]string{"link https://claude.ai/code/session_01HelloSession00000000BB", "rc active"}},
		{"an agent's hyperlink is not the bridge's", bridge.PTY, 120,
			"● see \x1b]8;;https://claude.ai/code/session_01EvilSession000000000CC\x07this\x1b]8;;\x07 or https://claude.ai/code/session_01EvilSession000000000CC\r\n",
			nil},
		{"old text of the flag form", bridge.PTY, 200,
			"/remote-control is active · Continue here, on your phone, or at https://claude.ai/code/session_01HelloSession00000000BB\r\n",
			[]string{"link https://claude.ai/code/session_01HelloSession00000000BB", "rc active"}},
		{"pill failed", bridge.PTY, 120, "? for shortcuts   /rc failed", []string{"rc failed"}},
		{"API error, redrawn", bridge.PTY, 120,
			strings.Repeat("  ⎿  API Error: 529 Overloaded. This is a server-side issue\r\n", 5) + "● You've hit your session limit · resets 3:45pm\r\n",
			[]string{"api overloaded", "api limit"}},
		{"panes and events are a server's", bridge.PTY, 120, readyPane + "[14:38:31] text\r\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := watch(tt.mode, tt.columns, len(tt.in)+1, tt.in)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			for _, size := range []int{1, 3, 7} {
				if again, _ := watch(tt.mode, tt.columns, size, tt.in); !cmp.Equal(got, again) {
					t.Errorf("in pieces of %d: %s", size, cmp.Diff(got, again))
				}
			}
		})
	}
}

// A prompt that somebody answered must not be reported for ever.
func TestScreenForgetsPrompts(t *testing.T) {
	var more strings.Builder
	for i := range 2 * promptLines {
		fmt.Fprintf(&more, "line %d\r\n", i)
	}
	got, s := watch(bridge.PTY, 120, 64, "Do you want to proceed?\r\n"+more.String())
	if d := cmp.Diff([]string{"prompt prompt-permission", "prompt "}, got); d != "" || s.State().Prompt != "" {
		t.Error(d)
	}
}

func TestScreenSettleBetweenReads(t *testing.T) {
	s := NewScreen(bridge.Standard, 120)
	var got []string
	emit := func(f Fact) { got = append(got, describeFact(f)) }
	for _, part := range []string{"Enable Remote", " Control? (y/n)", " ", "y\r\n", "·✔︎· Re", "ady · hello\r\n"} {
		s.Feed([]byte(part), emit)
		s.Settle(emit)
		s.Settle(emit)
	}
	if d := cmp.Diff([]string{"prompt prompt-consent", "prompt ", "pane Ready"}, got); d != "" {
		t.Error(d)
	}
}

func TestScreenText(t *testing.T) {
	in := "first\r\n" + readyPane + up4 + strings.ReplaceAll(readyPane, "✔︎", "|") + up4 + readyPane + "last \xff words"
	_, s := watch(bridge.Standard, 120, 5, in)
	want := "first\n" +
		"Capacity: 0/32 · New sessions will be created in the current directory\n" +
		"Code anywhere with the Claude mobile app or https://claude.ai/code?environment=env_01HelloWorld0000000000AA\n" +
		"space to show QR code\n" +
		"·✔︎· Ready · hello · HEAD\n" +
		"last \uFFFD words"
	if d := cmp.Diff(want, s.Text()); d != "" {
		t.Error(d)
	}
}

// Neither a flood without a newline nor one of distinct lines makes it grow.
func TestScreenIsBounded(t *testing.T) {
	s := NewScreen(bridge.Standard, 120)
	s.Feed([]byte(strings.Repeat("x", 1<<20)), nil)
	s.Feed([]byte("\x1b]8;;"+strings.Repeat("y", 1<<20)), nil)
	for i := range 5000 {
		s.Feed(fmt.Appendf(nil, "\r\n[12:00:00] %d %s", i, strings.Repeat("z", 700)), func(f Fact) {
			if len(f.Text) > maxFactText {
				t.Fatalf("a fact of %d bytes", len(f.Text))
			}
		})
	}
	if len(s.Text()) > historyBytes+historyLine+historyLines || cap(s.line) > 2*maxScreenLine {
		t.Errorf("text %d, line %d", len(s.Text()), cap(s.line))
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte(readyPane+up4+connectedPane), uint8(3), true)
	f.Add([]byte("\x1b]8;;https://claude.ai/code/session_01HelloSession00000000BB\x07/rc active\x1b]8;;\x07\r\n\x9b31m"), uint8(1), false)
	f.Add([]byte("Choose [1/2] (default: 1): "), uint8(2), true)
	f.Add([]byte("https://claude.ai/code?environ\r\nment=env_0123456\r\nx"), uint8(2), true)
	f.Add([]byte("API Error: 529\r\n[12:00:00] API Error: 500\rError: Poll: Access denied (403)\n"), uint8(9), true)
	f.Fuzz(func(t *testing.T, in []byte, size uint8, standard bool) {
		mode := bridge.PTY
		if standard {
			mode = bridge.Standard
		}
		whole, a := watch(mode, 40, len(in)+1, string(in))
		cut, b := watch(mode, 40, int(size)+1, string(in))
		if d := cmp.Diff(whole, cut); d != "" {
			t.Fatalf("in pieces of %d: %s", int(size)+1, d)
		}
		if d := cmp.Diff(a.State(), b.State()); d != "" {
			t.Fatal(d)
		}
		if a.Text() != b.Text() || !utf8.ValidString(a.Text()) {
			t.Fatalf("text %q and %q", a.Text(), b.Text())
		}
	})
}

func BenchmarkScreen(b *testing.B) {
	log, err := os.ReadFile("testdata/standard.log")
	if err != nil {
		b.Fatal(err)
	}
	var distinct strings.Builder
	for i := range 200 {
		fmt.Fprintf(&distinct, "%d ", i)
		distinct.Write(log[:200])
	}
	for name, in := range map[string]string{"redraw": strings.Repeat(readyPane+up4, 50), "flood": distinct.String(), "garbage": strings.Repeat("\x1b[3", 5000)} {
		b.Run(name, func(b *testing.B) {
			s := NewScreen(bridge.Standard, 120)
			p := []byte(in)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				s.Feed(p, func(Fact) {})
			}
		})
	}
}
