package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// interactive is `claude --remote-control [name]`: one TUI, one session.
type interactive struct {
	*bridge
	session registryEntry

	mu      sync.Mutex // guards what follows
	pill    string     // what the footer says about Remote Control
	line    string     // typed and not entered
	history []string
	hint    string // stands in the footer for a while
}

// flag runs the interactive form (claude-cli.md §§4, 6).
func (c *cli) flag(p parsed) outcome {
	dbg := openDebug(p.values["--debug-file"], c.set.on("debug-reopen"))
	b := &bridge{cli: c, life: newLife(), flags: p, dbg: dbg, rec: c.record(p.values["--debug-file"]), screen: newConsole(os.Stdout)}
	b.screen.feed = "\r\n"
	b.children = newChildren(b)
	f := &interactive{bridge: b}
	signals(b.rec, f.onSignal)
	go f.begin()
	o := b.wait()
	f.leave(o)
	b.close(o)
	return o
}

// handshake is what the TUI sends at start; nobody has to answer (§4).
const handshake = "\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?25l\x1b[?2004h\x1b[?2031h\x1b[?1004h\x1b]0;✳ Claude Code\a" +
	"\x1b[>0q\x1b[c\x1b[?u\x1b]11;?\a\x1b]7501;?\a"

// farewell gives the terminal back (§6).
const farewell = "\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2031l\x1b[?2004l\x1b[>4m\x1b[<u\x1b]0;\a\x1b[?25h"

func (f *interactive) begin() {
	if !f.pause(f.set.scaled(45 * time.Millisecond)) {
		return
	}
	f.dbg.interfaceNoise(f.places)
	if f.set.str("count-from", "start") == "start" {
		f.startCounting()
	}
	var fault string
	f.config, fault = f.readConfig(f.dbg)
	reason := f.set.str("crash-at-start", "")
	if fault != "" || reason == "corrupt-config" {
		if fault == "" {
			fault = "JSON Parse error: Unexpected EOF"
		}
		f.finish(f.configurationError(fault))
		return
	}
	if !f.onboarded() || !f.pause(f.until(300*time.Millisecond)) {
		return
	}
	if !f.enterWorktree() {
		return
	}
	f.id = f.newIdentity()
	if !f.resumes() {
		return
	}
	f.openTerminal()
	f.screen.write([]byte(handshake))
	f.session = f.places.newEntry(f.id, f.flags, f.set)
	f.session.writeKey()
	if !f.trust(reason) || !f.passMCP() || !f.passBypass() || f.diesBeforeReady() || !f.pause(f.set.scaled(300*time.Millisecond)) {
		return
	}
	f.session.write()
	f.hook("SessionStart", map[string]any{"source": "startup"})
	f.show("connecting…")
	go f.typing()
	f.connect(reason)
}

// onboarded: a brand-new HOME first looks for the service (§4).
func (f *interactive) onboarded() bool {
	if f.set.str("onboarding", "yes") == "yes" || f.config.flagSet("hasCompletedOnboarding") {
		return true
	}
	f.screen.line("Welcome to Claude Code\n\nUnable to connect to Anthropic services\n\nFailed to connect to api.anthropic.com: ENOTFOUND")
	f.pause(f.set.scaled(600 * time.Millisecond))
	f.finish(outcome{code: 1})
	return false
}

func (f *interactive) trust(reason string) bool {
	if reason != "untrusted" && f.agreement("trust", "prompt-trust", f.config.trusted) {
		return true
	}
	return f.trustDialog()
}

// connect makes Remote Control active, or fails as the settings say. Without
// an eligible login the TUI stays and only the debug file says so (§4).
func (f *interactive) connect(reason string) {
	warning, pill := "", "/rc failed"
	if known, ok := failures()[reason]; ok && known.phase == atLogin {
		warning = strings.TrimPrefix(known.text, "Error: ")
	}
	if why := f.eligibility(); why != "" {
		warning = why
	}
	if f.loggedOut() || f.set.on("flag-not-logged-in") || reason == "logged-out" {
		pill, warning = "Not logged in · run /login", subscriptionNeeded
	}
	if warning != "" {
		f.dbg.log("WARN", "%s --rc flag ignored.", warning)
		f.show(pill)
		f.rec.event("rc-ignored")
		return
	}
	wait := f.until(1200 * time.Millisecond)
	if f.set.on("slow-ready") {
		wait = f.set.after("slow-ready", time.Second)
	}
	if f.set.on("never-ready") || f.set.on("silent-hang") || !f.pause(wait) {
		return
	}
	if f.set.on("flag-init-failed") || strings.HasPrefix(reason, "registration-") { // three tries, then for good (#81036)
		for try := range 3 {
			f.dbg.log("ERROR", "[bridge:repl] init failed (attempt %d/3)", try+1)
			f.pause(f.set.scaled(500 * time.Millisecond))
		}
		f.show("/rc failed")
		f.rec.event("rc-failed")
		return
	}
	f.connected()
}

// connected logs and shows it (§§10.2, 10.4).
func (f *interactive) connected() {
	if f.flags.on("--continue") || f.flags.on("--resume") {
		f.dbg.debug("[remote-bridge] Unarchive %s status=409", f.id.session())
		f.dbg.debug("[remote-bridge] Reattaching to session %s", f.id.work())
	} else {
		f.dbg.debug("[remote-bridge] Created session %s", f.id.work())
	}
	f.dbg.debug("[remote-bridge] v2 URL https://api.anthropic.com/v1/code/sessions/%s", f.id.work())
	f.dbg.debug("[bridge:repl] handleStateChange state=connected detail=undefined")
	f.session.BridgeSessionID = f.id.session()
	f.session.write()
	if url := f.set.str("url", "pill"); url == "printed" || url == "both" { // ≤ 2.1.161
		f.screen.line(place("/remote-control is active · Continue here, on your phone, or at " + f.id.sessionLink()))
	}
	f.show("/rc active")
	f.becomeReady()
	f.children.fork()
	f.troubles()
}

// troubles are those of a ready interactive session.
func (f *interactive) troubles() {
	go f.showNotice(f.say)
	switch {
	case f.set.on("reconnect-after"), f.set.on("giveup-after"), f.set.on("poll-fatal-401"), f.set.on("poll-fatal-403"):
		key := "giveup-after"
		if f.set.on("reconnect-after") {
			key = "reconnect-after"
		}
		_, opts := f.set.value(key)
		if !f.pause(f.set.after(key, time.Second)) {
			return
		}
		f.state("disconnected", "/rc reconnecting", "")
		if key == "reconnect-after" && f.pause(f.set.scaled(duration(opts["for"], 5*time.Second))) {
			f.state("connected", "/rc active", f.id.session())
			f.rec.event("reconnected")
		}
	default:
		f.modelTroubles()
	}
}

func (f *interactive) state(word, pill, session string) {
	f.dbg.debug("[bridge:repl] handleStateChange state=%s detail=undefined", word)
	f.session.BridgeSessionID = session
	f.session.write()
	f.show(pill)
}

// say adds a notice to the conversation.
func (f *interactive) say(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = append(f.history, "● "+text)
	f.draw()
}

// show changes the footer.
func (f *interactive) show(pill string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pill = pill
	f.draw()
}

// draw, under mu, shows the last turns, the prompt and the footer, each word
// at its column; the pill is a hyperlink (OSC 8), so its address is never
// printed.
func (f *interactive) draw() {
	_, cols := windowSize(1)
	pill := f.pill
	width := len([]rune(pill))
	if pill == "/rc active" && f.set.str("url", "pill") != "printed" {
		pill = "\x1b]8;;" + f.id.sessionLink() + "\a/rc active\x1b]8;;\a"
	}
	rule := strings.Repeat("─", cols)
	lines := []string{" ▐▛███▛█   Claude Code v" + f.versionNumber(), "▝▜█████▛▀  Opus 5.5 · Claude Max", " ▝▝  ▝▝    " + f.places.cwd, ""}
	lines = append(lines, f.history[max(0, len(f.history)-6):]...)
	lines = placed(append(lines, rule)...)
	lines = append(lines, "❯\u00a0"+f.line+"\x1b[7m \x1b[27m", rule)
	lines = append(lines, fmt.Sprintf("%s\x1b[%dG%s", place("  "+f.permissionLine()), max(cols-width-1, 1), pill))
	f.screen.draw(lines)
}

// permissionLine is the left of the footer in 2.1.330 [RAN].
func (f *interactive) permissionLine() string {
	if f.hint != "" {
		return f.hint
	}
	switch f.flags.values["--permission-mode"] {
	case "default", "manual":
		return "⏸ manual mode on"
	case "plan":
		return "⏸ plan mode on"
	case "acceptEdits":
		return "⏵⏵ accept edits on"
	case "dontAsk":
		return "⏵⏵ don't ask on"
	case "bypassPermissions":
		return "⏵⏵ bypass permissions on"
	}
	return "⏵⏵ auto mode on"
}

// typing is the prompt: echo, Enter, /exit, Ctrl-C twice, a closed terminal.
func (f *interactive) typing() {
	interrupts := 0
	for {
		chunk, ok := f.nextChunk()
		if !ok {
			if !f.set.on("hang-on-all") {
				f.pause(f.set.scaled(50 * time.Millisecond))
				f.finish(outcome{code: 0}) // the other side of the terminal is gone
			}
			return
		}
		f.typed(chunk)
		f.mu.Lock()
		for _, key := range chunk {
			interrupts = f.key(key, interrupts)
		}
		if f.pause(0) { // after /exit the screen stays as it is
			f.draw()
		}
		f.mu.Unlock()
	}
}

// key takes one byte and returns the count of Ctrl-C in a row.
func (f *interactive) key(key byte, interrupts int) int {
	switch {
	case key == 3:
		if interrupts == 1 {
			f.finish(outcome{code: 0})
		}
		f.hint = "Press Ctrl-C again to exit"
		return interrupts + 1
	case key == '\r' || key == '\n':
		f.entered()
	case key == 127:
		f.line = f.line[:max(0, len(f.line)-1)]
	case key >= ' ':
		f.line += string([]byte{key})
	}
	f.hint = ""
	return 0
}

// entered is a whole line: /exit leaves, anything else is a turn.
func (f *interactive) entered() {
	line := f.line
	f.line = ""
	if line == "" {
		return
	}
	if line == "/exit" {
		f.hook("SessionEnd", map[string]any{"reason": "prompt_input_exit"})
		f.screen.last("Resume this session with:\nclaude --remote-control " + f.session.Name + " --resume " + f.id.local)
		f.finish(outcome{code: 0})
		return
	}
	f.history = append(f.history, "❯ "+line, "● echo: "+line)
	f.hook("UserPromptSubmit", map[string]any{"prompt": line})
	f.transcript(line, "")
	f.hook("Stop", nil)
}

// onSignal follows the table of claude-cli.md §6.
func (f *interactive) onSignal(sig sysSignal) {
	switch sig {
	case syscall.SIGWINCH:
		f.resized()
		return
	case syscall.SIGQUIT:
		if f.obeys(sig) {
			f.finish(outcome{signal: sig})
		}
		return
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP:
	default:
		return
	}
	if !f.obeys(sig) || !f.stopping.CompareAndSwap(false, true) {
		return
	}
	code := map[sysSignal]int{syscall.SIGINT: 0, syscall.SIGTERM: 143, syscall.SIGHUP: 129}[sig]
	if sig == syscall.SIGHUP && hungUp(0) {
		code = 0
	}
	go func() {
		f.hook("SessionEnd", map[string]any{"reason": "other"})
		f.children.stop()
		f.pause(f.set.scaled(250 * time.Millisecond))
		f.delayedExit()
		f.finish(outcome{code: code})
	}()
}

// leave restores the terminal and removes the session's files; a death by
// signal leaves them (§6).
func (f *interactive) leave(o outcome) {
	if o.signal != 0 {
		return
	}
	f.session.remove()
	hastily(func() { f.screen.write([]byte(farewell)) })
}

// enterWorktree moves the session into <project>/.claude/worktrees/NAME on the
// branch worktree-NAME, made where it is missing and used again where it is
// not; outside a repository it is an error (2.1.330 [RAN]). Trust stays a
// question about the project.
func (f *interactive) enterWorktree() bool {
	if !f.flags.on("--worktree") {
		return true
	}
	if !readableFile(filepath.Join(f.places.cwd, ".git")) {
		complain("Error: Can only use --worktree in a git repository, but " + f.places.cwd +
			" is not a git repository. Configure a WorktreeCreate hook to use --worktree with other VCS systems.")
		f.finish(outcome{code: 1})
		return false
	}
	name := f.flags.values["--worktree"]
	if name == "" {
		name = "calm-otter-" + randomHex(2)
	}
	dir := filepath.Join(f.places.cwd, ".claude", "worktrees", name)
	if !readableFile(dir) {
		_ = exec.Command("git", "-C", f.places.cwd, "worktree", "add", "-B", "worktree-"+name, dir).Run()
	}
	_ = os.MkdirAll(dir, 0o777) // also where git is missing: the stand-in goes on
	f.places.cwd = dir
	f.rec.event("worktree", "dir", dir)
	return true
}

// resumes checks what --continue and --resume ask for. Without a transcript
// they fail with exit 1 and these texts on the screen (2.1.330 [RAN]).
func (f *interactive) resumes() bool {
	found, _ := filepath.Glob(filepath.Join(f.places.projectDir(), "*.jsonl"))
	id := f.flags.values["--resume"]
	text := ""
	switch {
	case f.set.str("continue", "file") == "yes":
	case f.set.str("continue", "file") == "no" && (f.flags.on("--continue") || id != ""), f.flags.on("--continue") && len(found) == 0:
		text = "No conversation found to continue"
	case id != "" && !readableFile(filepath.Join(f.places.projectDir(), id+".jsonl")):
		text = "No conversation found with session ID: " + id
	}
	if text != "" {
		f.pause(f.set.scaled(300 * time.Millisecond))
		f.screen.last("\x1b[95m" + text + "\x1b[39m\r")
		f.finish(outcome{code: 1})
		return false
	}
	if f.flags.on("--continue") && len(found) > 0 {
		id = strings.TrimSuffix(filepath.Base(newest(found)), ".jsonl")
	}
	if id != "" && !f.flags.on("--fork-session") {
		f.id.local = id
	}
	return true
}

// newest is the file changed last.
func newest(files []string) string {
	best, at := "", time.Time{}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(at) {
			best, at = file, info.ModTime()
		}
	}
	return best
}

// nameOf is the name of the session: --name, else that of --remote-control,
// else derived from the directory (claude-cli.md §7).
func nameOf(p parsed, cwd string) string {
	for _, flag := range []string{"--name", "--remote-control"} {
		if name := p.values[flag]; name != "" {
			return name
		}
	}
	return fmt.Sprintf("%s-%02x", filepath.Base(cwd), os.Getpid()%256)
}
