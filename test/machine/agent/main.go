// Command agent runs in a test VM and executes what the test asks for over a
// virtio serial port (package wire). It is the main process of
// machine-exec.service, so its commands belong to that unit as they do in a
// container.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"clauster/test/machine/wire"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) // the unit starts us again
	}
}

func serve() error {
	port, err := openPort()
	if err != nil {
		return err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	a := &agent{out: wire.NewWriter(port), running: map[int]*running{}}
	heard, stop := context.WithCancel(context.Background())
	defer stop()
	go a.announce(heard, strings.TrimSpace(string(boot)))
	return wire.Receive(port, func(m wire.Message) {
		stop()
		a.handle(m)
	})
}

// openPort finds the port by name in sysfs: udev's links come later than we.
func openPort() (*os.File, error) {
	names, _ := filepath.Glob("/sys/class/virtio-ports/*/name") // the pattern is well-formed
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err == nil && strings.TrimSpace(string(text)) == wire.PortName {
			return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(n))), os.O_RDWR, 0)
		}
	}
	return nil, errors.New("cannot find virtio port " + wire.PortName)
}

// announce says hello until the test has said anything.
func (a *agent) announce(heard context.Context, boot string) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := a.out.Send(wire.Message{Kind: wire.Hello, Boot: boot}); err != nil {
			fmt.Fprintln(os.Stderr, "error: cannot say hello:", err)
		}
		select {
		case <-heard.Done():
			return
		case <-tick.C:
		}
	}
}

type agent struct {
	out     *wire.Writer
	mu      sync.Mutex
	running map[int]*running
}

// running is a command; input is fed by its own goroutine, so that one that
// does not read cannot hold up the others.
type running struct {
	cmd   *exec.Cmd
	input chan []byte
}

func (a *agent) handle(m wire.Message) {
	switch m.Kind {
	case wire.Start:
		if err := a.start(m); err != nil {
			a.send(wire.Message{Kind: wire.Exit, ID: m.ID, Code: 127, Error: err.Error()})
		}
	case wire.Stdin, wire.Signal:
		a.mu.Lock()
		r := a.running[m.ID]
		a.mu.Unlock()
		if r == nil {
			return // it has ended
		}
		if m.Kind == wire.Stdin {
			r.input <- m.Data
			return
		}
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.Signal(m.Code)) // may be gone
	}
}

func (a *agent) send(m wire.Message) {
	if err := a.out.Send(m); err != nil {
		fmt.Fprintln(os.Stderr, "error: cannot answer:", err)
	}
}

func (a *agent) start(m wire.Message) error {
	if len(m.Args) == 0 {
		return errors.New("no command")
	}
	cred, err := credential(m.User)
	if err != nil {
		return err
	}
	// env finds the command on the command's own PATH, not on ours.
	cmd := exec.Command("/usr/bin/env", append([]string{"-C", m.Dir, "--"}, m.Args...)...)
	cmd.Env = m.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: cred}
	cmd.Stdout = stream{a, m.ID, wire.Stdout}
	cmd.Stderr = stream{a, m.ID, wire.Stderr}
	cmd.WaitDelay = 2 * time.Second // a daemon may hold the pipes open for ever
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	r := &running{cmd: cmd, input: make(chan []byte, 1024)}
	if err := cmd.Start(); err != nil {
		return err
	}
	a.mu.Lock()
	a.running[m.ID] = r
	a.mu.Unlock()
	go feed(in, r.input)
	go a.reap(m.ID, r)
	return nil
}

// feed writes a command's input; an empty portion ends it.
func feed(in io.WriteCloser, portions <-chan []byte) {
	for p := range portions {
		if len(p) == 0 {
			in.Close()
			continue
		}
		_, _ = in.Write(p) // a command need not read its input
	}
	in.Close()
}

func (a *agent) reap(id int, r *running) {
	err := r.cmd.Wait()
	a.mu.Lock()
	delete(a.running, id)
	a.mu.Unlock()
	exit := wire.Message{Kind: wire.Exit, ID: id, Code: -1}
	if ws, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		exit.Code = ws.ExitStatus()
		if ws.Signaled() {
			exit.Code = 128 + int(ws.Signal())
		}
	} else if err != nil {
		exit.Error = err.Error()
	}
	a.send(exit)
}

// credential is nil for root: groups need no change then.
func credential(name string) (*syscall.Credential, error) {
	if name == "" || name == "root" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, id := range ids {
		g, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, err
		}
		c.Groups = append(c.Groups, uint32(g))
	}
	return c, nil
}

// stream sends what a command prints.
type stream struct {
	agent *agent
	id    int
	kind  wire.Kind
}

func (s stream) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), wire.MaxData)
		s.agent.send(wire.Message{Kind: s.kind, ID: s.id, Data: rest[:n]})
		rest = rest[n:]
	}
	return len(p), nil
}
