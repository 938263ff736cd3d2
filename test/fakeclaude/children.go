package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable tells a re-executed fakeclaude that it is a session child and
// what kind.
const childVariable = "FAKECLAUDE_CHILD"

// children are the session children of a bridge (claude-cli.md §10.6).
type children struct {
	b    *bridge
	mu   sync.Mutex
	all  []*exec.Cmd
	done sync.WaitGroup
}

func newChildren(b *bridge) *children { return &children{b: b} }

// fork starts the children that fork-children asks for.
func (c *children) fork() {
	if !c.b.set.on("fork-children") {
		return
	}
	_, opts := c.b.set.value("fork-children")
	words := []string{"plain"}
	for word := range opts {
		words = append(words, word)
	}
	for range max(c.b.set.number("fork-children", 1), 1) {
		c.start(strings.Join(words, ","), has(opts, "setsid"), has(opts, "hold-stdout"))
	}
}

// forkEater puts the memory hog into a child.
func (c *children) forkEater(bytes string) { c.start("eat="+bytes, false, false) }

func (c *children) start(spec string, setsid, holdOutput bool) {
	b := c.b
	b.dbg.debug("[bridge:api] GET /v1/environments/%s/work/poll -> 200 workId=%s type=session sessionId=[REDACTED]", b.id.environment, b.id.work())
	url := "https://api.anthropic.com/v1/code/sessions/" + b.id.work()
	b.dbg.debug("[bridge:session] Spawning sessionId=[REDACTED] sdkUrl=%s", url)
	cmd := exec.Command("/proc/self/exe", "--print", "--sdk-url", url, "--session-id", randomUUID(),
		"--input-format", "stream-json", "--output-format", "stream-json", "--replay-user-messages")
	cmd.Args[0] = b.argv[0]
	cmd.Env = append(os.Environ(), childVariable+"="+spec)
	cmd.Dir = b.places.cwd
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
	if holdOutput {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	// The pipe's other end is held by this process: its death is the child's
	// end of input, which all but the outliving ones obey.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	pid, err := startAndHear(cmd)
	if err != nil {
		b.dbg.log("ERROR", "[bridge:session] Session failed: spawn error: %v", err)
		return
	}
	c.mu.Lock()
	c.all = append(c.all, cmd)
	c.mu.Unlock()
	b.dbg.debug("[bridge:session] sessionId=[REDACTED] pid=%d", cmd.Process.Pid)
	b.dbg.debug("[bridge:title] server title for %s: %s", b.id.session(), b.set.str("session-title", "test"))
	b.rec.event("child", "pid", pid, "kind", spec)
	c.done.Add(1)
	go func() {
		defer c.done.Done()
		_ = cmd.Wait()
		_ = stdin.Close()
		c.ended(cmd)
	}()
}

// startAndHear starts a child and waits for its word that it is set up, so
// that a signal right after the event «child» meets what the kind promises. The
// word is the pid that stays: the grandchild's for a daemon.
func startAndHear(cmd *exec.Cmd) (pid int, err error) {
	hear, say, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer func() { _ = hear.Close() }()
	cmd.ExtraFiles = []*os.File{say} // descriptor 3 of the child
	err = cmd.Start()
	_ = say.Close()
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fscanln(hear, &pid)
	return pid, err
}

// announce is the child's side of startAndHear; only the first call counts.
func announce(pid int) {
	if say := os.NewFile(3, "announce"); say != nil {
		fmt.Fprintln(say, pid)
		_ = say.Close()
	}
}

// ended logs a child's end; a clean stop looks like a failure too (§6).
func (c *children) ended(cmd *exec.Cmd) {
	code := cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	c.b.dbg.debug("[bridge:session] sessionId=[REDACTED] failed exit_code=%d pid=%d", code, cmd.Process.Pid)
	c.b.rec.event("child-end", "pid", cmd.Process.Pid, "code", code)
	if !c.b.stopping.Load() {
		c.b.screen.event("Session failed: Process exited with error %s", c.b.id.work())
	}
}

// stop sends TERM to all and waits a little.
func (c *children) stop() {
	c.mu.Lock()
	for _, cmd := range c.all {
		_ = cmd.Process.Signal(unix.SIGTERM)
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); c.done.Wait() }()
	select {
	case <-done:
	case <-time.After(max(c.b.set.scaled(400*time.Millisecond), 100*time.Millisecond)):
	}
}

// runChild is a session child: it waits for the end of its input or a signal,
// except as its kinds say: outlive, ignore-term, stop, daemon, eat=BYTES.
func runChild(argv []string, spec string) outcome {
	kinds := map[string]string{}
	for _, word := range strings.Split(spec, ",") {
		k, v, _ := strings.Cut(word, "=")
		kinds[k] = v
	}
	if has(kinds, "daemon") {
		return detach(argv)
	}
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	announce(os.Getpid())
	if has(kinds, "eat") {
		never := make(chan struct{})
		new(eaten).take(size(kinds["eat"]), never)
	}
	if has(kinds, "stop") {
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	}
	parentGone := make(chan struct{})
	go func() {
		defer close(parentGone)
		buf := make([]byte, 512)
		for {
			if _, err := os.Stdin.Read(buf); err != nil {
				return
			}
		}
	}()
	gone := parentGone
	if has(kinds, "outlive") {
		gone = nil // never ready
	}
	for {
		select {
		case s := <-ch:
			sig, _ := s.(sysSignal)
			if !has(kinds, "ignore-term") && !(has(kinds, "outlive") && sig == unix.SIGHUP) {
				return outcome{code: 128 + int(sig)} // 143 (claude-cli.md §6)
			}
		case <-gone:
			return outcome{}
		}
	}
}

// detach starts a grandchild in a session of its own and leaves, so that it
// is reparented; it outlives everything but a cgroup kill.
func detach(argv []string) outcome {
	cmd := exec.Command("/proc/self/exe", argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(os.Environ(), childVariable+"=outlive,ignore-term")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pid, err := startAndHear(cmd)
	if err != nil {
		return outcome{code: 1}
	}
	announce(pid)
	return outcome{}
}

// attack runs a shell script as a child of the bridge and keeps its output.
func (b *bridge) attack(moment string) {
	script := b.set.str("attack", "")
	if script == "" || b.set.str("attack-at", "ready") != moment {
		return
	}
	path := b.set.str("attack-out", "attack.out")
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.places.cwd, path)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		b.rec.event("attack", "error", err.Error())
		return
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command("/bin/sh", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.places.cwd, out, out
	cmd.Env = append(os.Environ(), fmt.Sprintf("CLAUDE_PID=%d", os.Getpid()))
	err = cmd.Run()
	code := 0
	if err != nil {
		code = cmd.ProcessState.ExitCode()
	}
	// Written last and whole: its appearance is the end of the attack.
	_ = os.WriteFile(path+".rc.tmp", fmt.Appendf(nil, "%d\n", code), 0o644)
	_ = os.Rename(path+".rc.tmp", path+".rc")
	b.rec.event("attack", "code", code)
}
