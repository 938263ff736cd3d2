package door

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A drain lets a request finish and ends a stream.
func TestDrain(t *testing.T) {
	l := listen(t)
	entered, finish := make(chan string, 2), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		entered <- "slow"
		<-finish
		_, _ = io.WriteString(w, "whole")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		r, cancel := Stream(r)
		defer cancel()
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		entered <- "stream"
		<-r.Context().Done()
	})
	d := Open(quiet(), Door{Name: "web", Listeners: []net.Listener{l}, Handler: mux})
	answers := make(chan string, 2)
	get := func(path string) {
		res, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answers <- path + string(body)
	}
	go get("/slow")
	go get("/stream")
	<-entered
	<-entered
	if n := d.InFlight(); n != 2 {
		t.Errorf("%d in flight", n)
	}
	done := make(chan error)
	go func() { done <- d.Drain(t.Context()) }()
	if got := <-answers; got != "/stream" {
		t.Errorf("first came %q", got)
	}
	close(finish)
	if got := <-answers; got != "/slowwhole" {
		t.Errorf("then came %q", got)
	}
	if err := <-done; err != nil || d.InFlight() != 0 {
		t.Errorf("%v, %d in flight", err, d.InFlight())
	}
}

// closing tells when a listener is closed.
type closing struct {
	net.Listener
	closed func()
}

func (l closing) Close() error {
	defer l.closed()
	return l.Listener.Close()
}

// A connection that was accepted before a drain began, and asks after it, is
// answered.
func TestDrainAnswersArrivals(t *testing.T) {
	closed := make(chan struct{})
	l := closing{listen(t), sync.OnceFunc(func() { close(closed) })}
	accepted := make(chan struct{}, 1)
	d := Open(quiet(), Door{Name: "web", Listeners: []net.Listener{l},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "whole") }),
		Connected: func(ctx context.Context, _ net.Conn) context.Context {
			accepted <- struct{}{}
			return ctx
		}})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-accepted
	done := make(chan error)
	go func() { done <- d.Drain(t.Context()) }()
	<-closed
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(answer), "whole") || !strings.Contains(string(answer), "Connection: close") {
		t.Errorf("%v %q", err, answer)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// One that never asks does not hold the drain up for long.
func TestDrainLeavesTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		a.state(here, http.StateNew)
		began := time.Now()
		a.wait(t.Context())
		if took := time.Since(began); took != arrivalWait {
			t.Errorf("waited %v", took)
		}
		a.state(here, http.StateClosed)
		a.wait(t.Context())
		if took := time.Since(began); took != arrivalWait {
			t.Errorf("waited %v for nobody", took)
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		last := begun
		busyUntil := begun.Add(25 * time.Second)
		busy := func() bool { return time.Now().Before(busyUntil) }
		lastUse := func() time.Time {
			if time.Now().Before(busyUntil) {
				return last
			}
			return busyUntil
		}
		if !Idle(t.Context(), 10*time.Second, busy, lastUse) {
			t.Fatal("the context ended")
		}
		if took := time.Since(begun); took != 35*time.Second && took != 40*time.Second {
			t.Errorf("idle after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if Idle(ctx, time.Minute, func() bool { return false }, time.Now) {
			t.Error("idle although it was just used")
		}
	})
}

// However many datagrams come, f is called a few times a second.
func TestWakeFlood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wake")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	calls := make(chan time.Time, 100)
	ended := make(chan struct{})
	go func() {
		Wake(c, func(take func()) { take(); calls <- time.Now() })
		close(ended)
	}()
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = out.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
				_, _ = out.Write(nil)
			}
		}
	}()
	first, second := <-calls, <-calls
	close(stop)
	if gap := second.Sub(first); gap < wakePause {
		t.Errorf("called again after %v", gap)
	}
	c.Close()
	<-ended
}
