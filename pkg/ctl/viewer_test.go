package ctl

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/systemd"

	"github.com/creack/pty"
)

// atKeeper is an App whose bridge "blog" is up, with a keeper that handles
// each connection by serve.
func atKeeper(t *testing.T, serve func(n int, c *control.Conn)) *App {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "run/clauster/bridges/blog")
	for _, d := range []string{dir, filepath.Join(root, "run/systemd/system"), filepath.Join(root, "sys/fs/cgroup/cgroup.controllers")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := control.Listen(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if c.Greet(control.Hello{Instance: "blog"}) == nil {
				serve(n, c)
			}
			c.Close()
		}
	})
	a := New("test")
	a.Root, a.UID, a.Stdin, a.Stderr = root, 0, nil, io.Discard
	a.Terminal, a.TalkTerminal = false, false
	a.JournalReadable = func() bool { return false }
	bus := &fakeBus{Release: "252", Units: map[string]*fakeUnit{
		"clauster@blog.service":      {Active: "active", PID: os.Getpid()},
		"clauster-bridge-blog.scope": {Active: "active"}}}
	a.Connect = func(context.Context, systemd.Manager) (Systemd, error) { return bus, nil }
	return a
}

func readAttach(t *testing.T, c *control.Conn) control.Attach {
	var at control.Attach
	f, err := c.Read()
	if err != nil || f.Type != control.TypeAttach || f.Decode(&at) != nil {
		t.Errorf("got frame %d, %v instead of attach", f.Type, err)
	}
	return at
}

// A keeper that is killed under a viewer costs not one byte: the viewer asks
// its successor for the next one.
func TestViewerGoesOnAfterKeeperRestart(t *testing.T) {
	a := atKeeper(t, func(n int, c *control.Conn) {
		at := readAttach(t, c)
		switch n {
		case 0:
			_ = c.Send(control.TypeAttached, control.Attached{Run: "r", Offset: 100})
			_ = c.SendBytes(control.TypeOutput, []byte("abc"))
		default:
			if at.Run != "r" || at.From != 103 {
				t.Errorf("the second time it asks for %d of run %q", at.From, at.Run)
			}
			_ = c.Send(control.TypeAttached, control.Attached{Run: "r", Offset: 103})
			_ = c.SendBytes(control.TypeOutput, []byte("def"))
			_ = c.Send(control.TypeEnded, control.Ended{Status: bridge.Crashed, Reason: "killed", Hint: "look"})
		}
	})
	var out, talk bytes.Buffer
	a.Stdout, a.Stderr = &out, &talk
	if code := a.Run(t.Context(), []string{"attach", "--read-only", "blog"}); code != ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if out.String() != "abcdef" || talk.String() != "error: blog ended (crashed): killed\nhint: look\n" {
		t.Errorf("output %q, talk %q", out.String(), talk.String())
	}
}

// On a terminal: what is typed arrives, the size too, the detach key leaves,
// and the terminal is put back.
func TestAttachOnATerminal(t *testing.T) {
	got := make(chan string, 10)
	a := atKeeper(t, func(_ int, c *control.Conn) {
		if at := readAttach(t, c); at.Rows != 33 || at.Cols != 111 {
			t.Errorf("size %+v", at.Size)
		}
		_ = c.Send(control.TypeAttached, control.Attached{Run: "r"})
		_ = c.SendBytes(control.TypeOutput, []byte("ready"))
		for {
			f, err := c.Read()
			if err != nil {
				return
			}
			switch f.Type {
			case control.TypeInput:
				got <- "input " + string(f.Payload)
			case control.TypeDetach:
				got <- "detach"
			}
		}
	})
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 33, Cols: 111}); err != nil {
		t.Fatal(err)
	}
	a.Stdin, a.Stdout, a.Terminal = tty, tty, true
	seen := make(chan string, 1)
	go func() {
		var all []byte
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			if all = append(all, buf[:n]...); err != nil {
				seen <- string(all)
				return
			}
			if n > 0 && strings.HasSuffix(string(all), "ready") {
				_, _ = master.WriteString("hi")
			}
		}
	}()
	code := make(chan int, 1)
	go func() { code <- a.Run(context.Background(), []string{"attach", "blog"}) }()
	want := func(w string) {
		t.Helper()
		select {
		case g := <-got:
			if g != w {
				t.Errorf("got %q, want %q", g, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no %q", w)
		}
	}
	want("input hi")
	if _, err := master.WriteString("\x1d"); err != nil {
		t.Fatal(err)
	}
	want("detach")
	if c := <-code; c != ExitDone {
		t.Errorf("exit code %d", c)
	}
	tty.Close()
	if s := <-seen; !strings.HasPrefix(s, "ready") || !strings.Contains(s, "\x1b[?1049l") {
		t.Errorf("the terminal saw %q", s)
	}
}
