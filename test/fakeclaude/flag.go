package main

import (
	"os"
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
	b.say = f.tell
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
	if f.set.on("no-network") {
		f.noNetwork("[bridge:repl] connect")
		return
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
	go f.showNotice()
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

// tell adds a notice to the conversation.
func (f *interactive) tell(text string) {
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
