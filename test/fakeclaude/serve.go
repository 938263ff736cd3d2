package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// serve is the life after the poll loop began.
func (s *server) serve() {
	if s.set.on("capacity-full") {
		s.sessions = s.capacity
	}
	s.screen.draw(s.servicePane())
	s.becomeReady()
	go s.keys()
	go s.polls()
	go s.serverTroubles()
	s.children.fork()
}

// becomeReady marks the moment and sets off what the settings ask for after it.
func (b *bridge) becomeReady() {
	b.ready.Store(true)
	b.rec.event("ready", "environment", b.id.environment, "session", b.id.session())
	if b.set.on("lock-held") {
		b.config.save(func(v map[string]any) { v["hasUsedRemoteControl"] = true })
	}
	if b.set.str("count-from", "start") == "ready" {
		b.startCounting()
	}
	if b.set.on("screen") {
		b.startFull()
	}
	go b.endsByItself()
	go b.flood()
	go b.eat()
	go b.attack("ready")
	go b.expireLogin()
	go b.selfUpdate()
	if b.set.on("stopped") {
		b.stopItself()
	}
}

// keys are the runtime keys: space shows a code, w toggles the spawn mode,
// Ctrl-C is SIGINT.
func (s *server) keys() {
	for {
		chunk, ok := s.nextChunk()
		if !ok {
			return // /dev/null or a hang-up; the signal tells the latter
		}
		for _, key := range chunk {
			switch key {
			case 3:
				if s.obeys(unix.SIGINT) {
					s.shutdown(unix.SIGINT)
				}
			case 'w':
				if s.spawnMode() == "same-dir" {
					s.spawn = "worktree"
				} else {
					s.spawn = "same-dir"
				}
				s.screen.draw(s.servicePane())
			case ' ':
				s.screen.line("▄▄▄▄▄ [QR code of " + s.id.environmentLink() + "] ▄▄▄▄▄")
			default:
				s.typed(chunk)
			}
		}
	}
}

// openTerminal takes the keys of a terminal, if there is one.
func (b *bridge) openTerminal() {
	if isTerminal(0) && b.restore == nil {
		b.restore = rawInput(0)
	}
}

// polls logs empty polls and redraws, as often as the settings say; a quiet
// log is not a dead bridge (claude-cli.md §10.2).
func (s *server) polls() {
	every := s.set.after("poll", 600*time.Second)
	for n := 1; every > 0 && s.pause(every); n++ {
		s.dbg.debug("[bridge:api] GET /v1/environments/%s/work/poll -> 200 (no work, %d consecutive empty polls)", s.id.environment, n)
		now := time.Now()
		_ = os.Chtimes(s.places.pointerFile(), now, now)
	}
}

// noise is never-ready: chatter without a marker, for ever.
func (s *server) noise() {
	for n := 1; s.pause(max(s.set.scaled(time.Second), 20*time.Millisecond)); n++ {
		s.dbg.debug("Fast mode availability: not checked (%d)", n)
	}
}

// serverTroubles are the selectable troubles of a ready server.
func (s *server) serverTroubles() {
	go s.redraws()
	go s.showNotice()
	switch {
	case s.set.on("giveup-after"):
		s.giveUp()
	case s.set.on("reconnect-after"):
		s.reconnect()
	case s.set.on("poll-fatal-401"):
		s.pollFatal("Poll: Authentication failed (401): OAuth token has expired")
	case s.set.on("poll-fatal-403"):
		s.pollFatal("Poll: Access denied (403): Account is no longer a member of the organization")
	case s.set.on("enoent-sessions"):
		s.enoent()
	case s.set.on("stale-pointer-404"):
		s.stalePointer()
	case s.set.on("poisoned-reattach"):
		s.poisoned()
	default:
		s.modelTroubles()
	}
}

// noNetwork is an outage at start: attempts that fail in the debug file, for
// ever. The words around the system's error name are ours.
func (b *bridge) noNetwork(what string) {
	for b.pause(max(b.set.scaled(time.Second), 20*time.Millisecond)) {
		b.dbg.log("WARN", "%s failed: getaddrinfo EAI_AGAIN api.anthropic.com", what)
	}
}

func (s *server) redraws() {
	every := s.set.after("redraw", 0)
	for every > 0 && s.pause(every) {
		s.screen.draw(s.servicePane())
	}
}

// giveUp: the network is away for 10 minutes, then the process exits (§9;
// the exit code is not known, §15.1: 1, or an option).
func (s *server) giveUp() {
	_, opts := s.set.value("giveup-after")
	if !s.pause(s.set.after("giveup-after", time.Second)) || !s.reconnecting(s.set.scaled(duration(opts["for"], 600*time.Second))) {
		return
	}
	complain("Error: Server unreachable")
	s.dbg.log("ERROR", "[bridge:poll] Persistent errors for 10 minutes, giving up")
	s.screen.last("Persistent errors for 10 minutes, giving up")
	s.finish(outcome{code: optionCode(opts, 1)})
}

// optionCode is the numeric option (`:137`), or def.
func optionCode(opts map[string]string, def int) int {
	for name := range opts {
		if n, err := strconv.Atoi(name); err == nil {
			return n
		}
	}
	return def
}

func (s *server) reconnect() {
	_, opts := s.set.value("reconnect-after")
	if !s.pause(s.set.after("reconnect-after", time.Second)) {
		return
	}
	s.dbg.log("WARN", "[bridge:poll] Poll failed: Request failed: ECONNRESET")
	if !s.reconnecting(s.set.scaled(duration(opts["for"], 5*time.Second))) {
		return
	}
	s.screen.draw(s.servicePane())
	s.dbg.debug("[bridge:poll] Reconnected")
	s.rec.event("reconnected")
}

// pollFatal: all sessions fail in a burst, then exit 1 (#30091, #53563).
func (s *server) pollFatal(text string) {
	if !s.pause(s.set.scaled(time.Second)) {
		return
	}
	for range max(s.sessions, 3) {
		s.screen.event("Session failed: Process exited with error %s", s.id.work())
		s.dbg.debug("[bridge:session] sessionId=[REDACTED] failed exit_code=143 pid=%d", os.Getpid())
	}
	s.dbg.log("ERROR", "BridgeFatalError: %s", text)
	complain("Error: " + text)
	s.children.stop()
	s.finish(outcome{code: 1})
}

// enoent: the resolved executable is gone after an update (#84817).
func (s *server) enoent() {
	for s.pause(s.set.scaled(2 * time.Second)) {
		work := "cse_" + randomID()
		s.screen.event("Session failed: spawn error: ENOENT: no such file or directory, posix_spawn '%s' %s",
			"/home/op/.local/share/claude/versions/2.1.329", work)
		s.dbg.log("ERROR", "[bridge:session] Session failed: spawn error: ENOENT %s", work)
	}
}

// stalePointer: 6–12 s after start, then it usually connects (#93409).
func (s *server) stalePointer() {
	if !s.pause(s.set.scaled(6 * time.Second)) {
		return
	}
	s.dbg.log("ERROR", "registerWorker failed: Request failed with status code 404")
	s.screen.event("Error: CCR v2 worker registration failed for session %s: Request failed with status code 404", s.id.work())
}

// poisoned: a control request ends the adopted session; the bridge idles
// (claude-cli.md §10.2).
func (s *server) poisoned() {
	reason := s.set.str("poisoned-reattach", "")
	if reason == "" {
		reason = "archived"
	}
	if !s.pause(s.set.scaled(500 * time.Millisecond)) {
		return
	}
	s.dbg.debug(`[bridge:api] <<< {"type":"control_request","request":{"subtype":"end_session","reason":%q}}`, reason)
	s.sessions = 0
	s.screen.draw(s.servicePane())
	s.rec.event("poisoned")
}

const overloadedBody = `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}`

// modelTroubles are texts of the model side; they never end the bridge
// (claude-cli.md §10.8, last paragraph).
func (b *bridge) modelTroubles() {
	var kind string
	var lines []string
	switch {
	case b.set.on("529"):
		kind = "overloaded"
		lines = []string{
			`API Error (529 ` + overloadedBody + `) · Retrying in 4 seconds… (attempt 4/10)`,
			"API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.",
			"API Error: Repeated 529 Overloaded errors. The API is at capacity — this is usually temporary. Try again in a moment. If it persists, check https://status.claude.com.",
		}
	case b.set.on("rate-limit"):
		kind = "rate_limit"
		lines = []string{
			"API Error: Request rejected (429) · this may be a temporary capacity issue.",
			"API Error: Server is temporarily limiting requests (not your usage limit)",
			"You've hit your session limit · resets 3:45pm",
		}
	case b.set.on("overloaded-503"):
		lines = []string{"Session creation request failed: Request failed with status code 503"}
	default:
		return
	}
	if !b.pause(b.set.scaled(time.Second)) {
		return
	}
	for _, line := range lines {
		b.screen.event("%s", line)
		b.dbg.log("ERROR", "%s", line)
	}
	if kind != "" {
		b.transcript(lines[len(lines)-1], kind)
		b.hook("StopFailure", map[string]any{"error": kind, "last_assistant_message": lines[len(lines)-1]})
	}
	if b.set.str("529", "") == "silent" {
		b.children.stop() // #36005: the session dies, nobody says so
	}
	b.rec.event("trouble", "kind", kind)
}

// expireLogin: the login goes while the bridge lives, or kills it (§13).
func (b *bridge) expireLogin() {
	if !b.set.on("login-expiry") || !b.pause(b.set.after("login-expiry", time.Second)) {
		return
	}
	_ = os.MkdirAll(b.places.configDir, 0o700)
	_ = os.WriteFile(b.places.logoutFile(), nil, 0o600)
	b.rec.event("login-expired")
	if _, opts := b.set.value("login-expiry"); has(opts, "dies") {
		complain("Error: Poll: Authentication failed (401): Login expired · Please run /login")
		b.finish(outcome{code: 1})
		return
	}
	b.say(notices()["login-expired"].text)
}

func has(opts map[string]string, name string) bool { _, ok := opts[name]; return ok }

func signalName(sig sysSignal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}
