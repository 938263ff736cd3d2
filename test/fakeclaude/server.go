package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bridge is what both forms share while they run.
type bridge struct {
	*cli
	*life
	flags    parsed
	dbg      *debugFile
	rec      *recorder
	screen   *console
	stdin    *input
	ahead    []byte // input typed ahead of the question it answers
	config   *globalConfig
	id       identity
	children *children
	restore  func()            // gives the terminal back
	say      func(text string) // shows a notice where this form shows them
	stopping atomic.Bool
	ready    atomic.Bool
	counted  atomic.Int64
	hinted   atomic.Bool // the hint of sigint-needs-two was given
	drawings atomic.Int64
	keyboard sync.Mutex
	text     string // typed so far; guarded by keyboard
}

// server is `claude remote-control`: one process, many sessions.
type server struct {
	*bridge
	spawn    string
	capacity int
	sessions int
	adopted  bool
}

// server runs the checks of claude-cli.md §13 in their order and then lives.
func (c *cli) server(args []string) outcome {
	p, bad := parse(args, serverFlags())
	if p.on("--help") {
		return c.print(serverHelp)
	}
	dbg := openDebug(p.values["--debug-file"], c.set.on("debug-reopen"))
	b := &bridge{cli: c, life: newLife(), flags: p, dbg: dbg, rec: c.record(p.values["--debug-file"]), screen: newConsole(os.Stdout)}
	b.children = newChildren(b)
	b.say = func(text string) { b.screen.event("%s", text) }
	s := &server{bridge: b, spawn: p.values["--spawn"], capacity: 32}
	signals(b.rec, s.onSignal)
	go s.begin(bad)
	o := b.wait()
	b.close(o)
	return o
}

// close gives the terminal back and records the end.
func (b *bridge) close(o outcome) {
	if b.restore != nil {
		b.restore()
	}
	if b.set.on("count") {
		hastily(func() { b.sayCount() })
	}
	b.rec.event("end", "code", o.code, "signal", int(o.signal), "count", b.counted.Load())
}

// begin is everything before registration.
func (s *server) begin(badArgument string) {
	if !s.pause(s.set.scaled(45 * time.Millisecond)) {
		return
	}
	s.dbg.startupNoise(s.places)
	if s.set.str("count-from", "start") == "start" {
		s.startCounting()
	}
	config, fault := s.readConfig(s.dbg)
	s.config = config
	reason := s.set.str("crash-at-start", "")
	if reason == "corrupt-config" && fault == "" {
		fault = "JSON Parse error: Unexpected EOF"
	}
	if fault != "" {
		s.finish(s.configurationError(fault))
		return
	}
	if !s.pause(s.set.scaled(40*time.Millisecond)) || !s.admitted(reason) {
		return
	}
	if badArgument == "" {
		badArgument = s.badValue()
	}
	if badArgument != "" {
		complain("error: " + badArgument)
		s.finish(outcome{code: 1})
		return
	}
	if s.agreed(reason) {
		s.register(reason)
	}
}

// admitted checks login and eligibility; both come before the arguments.
func (s *server) admitted(reason string) bool {
	known, isKnown := failures()[reason]
	if s.loggedOut() {
		known, isKnown = failures()["logged-out"], true
	}
	if isKnown && known.phase == atLogin {
		text := known.text
		if text == loginNeeded && (s.flags.on("--debug") || s.flags.on("--debug-file")) {
			text += "\n" + s.authState()
		}
		s.finish(s.refuse(text))
		return false
	}
	if why := s.eligibility(); why != "" {
		s.finish(s.refuse("Error: " + why))
		return false
	}
	return true
}

// badValue checks flag values; the texts are not known (§15.2).
func (s *server) badValue() string {
	switch s.spawn {
	case "", "same-dir", "worktree", "session":
	default:
		return fmt.Sprintf("option '--spawn <mode>' argument '%s' is invalid. Allowed choices are same-dir, worktree, session.", s.spawn)
	}
	if text, given := s.flags.values["--capacity"]; given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Sprintf("option '--capacity <N>' argument '%s' is invalid.", text)
		}
		s.capacity = n
	}
	if s.spawn == "session" {
		s.capacity = 1
	}
	resumes := s.flags.on("--continue") || s.flags.on("--session-id")
	if resumes && (s.flags.on("--spawn") || s.flags.on("--capacity") || s.flags.on("--create-session-in-dir")) {
		return "--continue and --session-id cannot be used with --spawn, --capacity or --create-session-in-dir" // rule: §9
	}
	return ""
}

// agreed passes trust, consent and the spawn question.
func (s *server) agreed(reason string) bool {
	if reason == "untrusted" || !s.passTrust() {
		if reason == "untrusted" {
			s.finish(s.refuse(failures()["untrusted"].text))
		}
		return false
	}
	return s.passConsent() && s.passSpawn()
}

// register is the way from bridge:init to the poll loop (claude-cli.md §10.2).
func (s *server) register(reason string) {
	if s.diesBeforeReady() {
		return
	}
	s.id = s.newIdentity()
	s.adopt()
	if s.set.on("silent-hang") { // #91321
		s.screen.draw(s.pane("·|·", "Connecting"))
		s.dbg.debug("Acquired PID lock")
		return
	}
	s.openTerminal()
	s.screen.line("Remote Control documentation: https://code.claude.com/docs/en/remote-control") // the decoy of §10.1
	connected := s.spin()
	if s.set.on("no-network") {
		s.noNetwork("[bridge:api] POST /v1/environments/bridge")
		return
	}
	if s.set.on("never-ready") {
		s.noise()
		return
	}
	if !s.pause(s.until(300*time.Millisecond)) || !s.initialise(reason) {
		return
	}
	if !s.createSession() || !s.pause(s.set.scaled(30*time.Millisecond)) {
		return
	}
	if s.set.on("env-no-poll") {
		if code, err := strconv.Atoi(s.set.str("env-no-poll", "")); err == nil {
			s.finish(outcome{code: code})
		}
		return
	}
	s.dbg.debug("[bridge:work] Starting poll loop spawnMode=%s maxSessions=%d environmentId=%s", s.spawnMode(), s.capacity, s.id.environment)
	connected()
	s.serve()
}

// until is what is left of a scaled time since the process began.
func (b *bridge) until(d time.Duration) time.Duration {
	return b.set.scaled(d) - time.Since(b.begun)
}

// initialise logs bridge:init and the registration.
func (s *server) initialise(reason string) bool {
	host, _ := os.Hostname()
	s.dbg.debug("[bridge:init] bridgeId=%s dir=%s branch=%s gitRepoUrl=null machine=%s", s.id.bridge, s.places.cwd, s.branch(), host)
	wait := s.set.scaled(600 * time.Millisecond)
	if s.set.on("slow-ready") {
		wait += s.set.after("slow-ready", time.Second)
	}
	if !s.pause(wait) {
		return false
	}
	if known, ok := failures()[reason]; ok && known.phase == atRegister {
		s.finish(s.refuse(known.text))
		return false
	}
	s.dbg.debug("[bridge:api] POST /v1/environments/bridge -> 200 environment_id=%s", s.id.environment)
	s.dbg.debug("[bridge:init] Registered, server environmentId=%s", s.id.environment)
	return s.pause(s.set.scaled(450 * time.Millisecond))
}

// createSession pre-creates the session of this directory, or adopts the
// recorded one, and writes the pointer.
func (s *server) createSession() bool {
	switch {
	case s.set.on("overloaded-503"): // #87211
		s.dbg.log("ERROR", "[bridge] Session creation request failed: Request failed with status code 503\n%s", overloadedBody)
	case s.set.on("ready-no-session"): // #45975
		s.dbg.log("ERROR", "[bridge] Session creation failed with status 400: invalid_request_error")
	case s.flags.on("--no-create-session-in-dir"):
		_ = os.Remove(s.places.pointerFile())
	case s.adopted:
		s.sessions = 1
		s.dbg.debug("[bridge:init] Adopted session %s re-queued via bridge/reconnect", s.id.work())
		s.places.writePointer(s.id)
	default:
		s.sessions = 1
		s.dbg.debug("[bridge:init] Created initial session %s", s.id.session())
		s.places.writePointer(s.id)
	}
	return true
}

// adopt takes over the ids of a fresh pointer (claude-cli.md §10.5).
func (s *server) adopt() {
	if s.flags.on("--no-create-session-in-dir") || s.set.on("env-id-change") {
		return
	}
	s.adopted = s.set.on("ready-reconnect")
	if found, ok := s.places.freshPointer(); ok {
		s.adopted = true
		s.id.environment = found.EnvironmentID
		if suffix, ok := strings.CutPrefix(found.SessionID, "session_"); ok {
			s.id.suffix = suffix
		}
	}
	if id := s.flags.values["--session-id"]; id != "" {
		s.adopted = true
		s.id.suffix = strings.TrimPrefix(strings.TrimPrefix(id, "session_"), "cse_")
	}
}

func (s *server) spawnMode() string {
	if s.spawn == "" {
		return "same-dir"
	}
	return s.spawn
}

// branch is the checked-out branch, or HEAD where there is no repository.
func (s *server) branch() string {
	head := readText(filepath.Join(s.places.cwd, ".git", "HEAD"))
	if name, ok := strings.CutPrefix(head, "ref: refs/heads/"); ok {
		return name
	}
	return "HEAD"
}
