package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/event"
	"clauster/pkg/journal"
	"clauster/pkg/store"
	"clauster/pkg/tail"
	"clauster/pkg/wire"
)

// pipes is a listener without a kernel, for servers in a bubble.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// serving gives a function that connects to a handler.
func serving(t *testing.T, h http.HandlerFunc) func() net.Conn {
	p := pipes{make(chan net.Conn)}
	srv := &http.Server{Handler: h}
	over := make(chan struct{})
	go func() { defer close(over); _ = srv.Serve(p) }()
	t.Cleanup(func() { close(p.conns); srv.Close(); <-over })
	return func() net.Conn {
		ours, theirs := net.Pipe()
		p.conns <- theirs
		t.Cleanup(func() { ours.Close() })
		return ours
	}
}

// logsOf is the resource over a journal with some lines; all instances are there.
func logsOf(lines int, text string, live <-chan string) *Logs {
	entry := func(n int, text string) journal.Entry {
		e := journal.NewEntry(time.Unix(int64(n), 0), map[string]string{"MESSAGE": text})
		e.Cursor = fmt.Sprint(n)
		return e
	}
	read := func(_ context.Context, q journal.Query, f func(journal.Entry) error) error {
		for n := range min(lines, q.Lines) {
			if err := f(entry(n, text)); err != nil {
				return err
			}
		}
		return nil
	}
	follow := func(ctx context.Context, _ journal.Query, f func(journal.Entry) error) error {
		for {
			select {
			case text := <-live:
				if err := f(entry(0, text)); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return &Logs{Tails: tail.New(journal.Origin{}, tail.Source{Read: read, Follow: follow}),
		Resolve: func(_ context.Context, name string) (bridge.Instance, *wire.Problem) {
			return bridge.Instance{Project: name}, nil
		}}
}

// askLog is a request for a log, with header lines.
func askLog(t *testing.T, project string, header ...string) *Request {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/instances/"+project+"/logs?lines=1000", nil)
	r.SetPathValue("instance", project)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return &Request{Request: r}
}

// A viewer who reads everything and answers no ping is ended, and holds its
// place no longer.
func TestViewerWithoutPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := make(chan string)
		logs := logsOf(0, "", live)
		began, over := time.Now(), time.Duration(0)
		connect := serving(t, func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue("instance", "blog")
			logs.get(&Request{Request: r}).write(w, r)
			over = time.Since(began)
		})
		c := connect()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		go func() { <-time.After(5 * time.Second); live <- "the line" }()
		got, err := io.ReadAll(c) // until the end, which has to come
		if text := string(got); err != nil || !strings.Contains(text, "101 Switching") || !strings.Contains(text, "the line") {
			t.Errorf("%v %q", err, text)
		}
		synctest.Wait()
		if over < 5*time.Second+silence+frameTime || over > time.Minute {
			t.Errorf("ended after %v", over)
		}
	})
}

// noPages is a store where nothing is.
type noPages struct{}

func (noPages) Events(context.Context, store.EventQuery) ([]wire.Event, error) { return nil, nil }
func (noPages) LastSeq(context.Context) (int64, error)                         { return 0, nil }

// A viewer of crashes on a host where other things happen all the time: a
// proxy must not take its stream for dead.
func TestFilteredStreamIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := event.NewHub(t.Context(), noPages{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*silence+time.Second)
		defer cancel()
		go func() {
			for n := int64(1); ctx.Err() == nil; n++ {
				hub.Publish([]wire.Event{{Seq: n, Kind: "ready", ID: fmt.Sprint(n)}})
				select {
				case <-time.After(silence / 7):
				case <-ctx.Done():
				}
			}
		}()
		w := httptest.NewRecorder()
		follow(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), hub.Subscribe(0), eventFilter{kinds: []string{"crash"}}, nil)
		if got := w.Body.String(); got != strings.Repeat(":\n\n", 10) {
			t.Errorf("%q", got)
		}
	})
}

// One instance too many is refused before a stream begins, with what to do.
func TestTooManyFollowed(t *testing.T) {
	logs := logsOf(1, "a line", nil)
	var streams []Response
	for n := 0; ; n++ {
		answer := logs.get(askLog(t, fmt.Sprint("p", n), "Accept: text/event-stream"))
		if refused, ok := answer.(Refusal); ok {
			if refused.Kind != wire.Unavailable || n != 64 || !strings.Contains(refused.Hint, "close viewers") {
				t.Errorf("after %d: %+v", n, refused.Problem)
			}
			break
		}
		streams = append(streams, answer)
	}
	if _, ok := logs.get(askLog(t, "p1")).(Text); !ok {
		t.Error("the past is not answered")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range streams {
		w := httptest.NewRecorder()
		s.write(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	}
	if _, ok := logs.get(askLog(t, "p99", strings.Split(goodUpgrade, "|")...)).(Refusal); ok {
		t.Error("who left made no room")
	}
}

// An answer is what it was: lines, oldest first, as JSON.
func TestLastLines(t *testing.T) {
	w := httptest.NewRecorder()
	r := askLog(t, "blog")
	logsOf(3, "a <b> & c", nil).get(r).write(w, r.Request)
	var log wire.Log
	if err := json.Unmarshal(w.Body.Bytes(), &log); err != nil || log.Instance != "blog" || len(log.Lines) != 3 || log.Lines[2].Text != "a <b> & c" {
		t.Errorf("%v %s", err, w.Body)
	}
}

// Large answers that nobody takes do not fill the memory: there are few, small
// ones go on, and they do not last.
func TestLargeAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := logsOf(1000, strings.Repeat("<", 1000), nil)
		var refused atomic.Int32
		connect := serving(t, func(w http.ResponseWriter, r *http.Request) {
			r.SetPathValue("instance", "blog")
			answer := large.get(&Request{Request: r})
			if _, ok := answer.(Refusal); ok {
				refused.Add(1)
			}
			answer.write(w, r)
		})
		send := func(lines int) net.Conn {
			c := connect()
			fmt.Fprintf(c, "GET /?lines=%d HTTP/1.1\r\nHost: x\r\n\r\n", lines)
			return c
		}
		for range maxLarge + 5 {
			send(1000) // and reads nothing
		}
		synctest.Wait()
		if n := refused.Load(); n != 5 {
			t.Errorf("%d are refused", n)
		}
		if res, err := http.ReadResponse(bufio.NewReader(send(10)), nil); err != nil || res.StatusCode != http.StatusOK {
			t.Error("a small one:", err)
		}
		<-time.After(largeTime + time.Second)
		res, err := http.ReadResponse(bufio.NewReader(send(1000)), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal("after a while:", err)
		}
		if body, err := io.ReadAll(res.Body); err != nil && !errors.Is(err, io.EOF) || len(body) < 1_000_000 || len(body) > 1_200_000 {
			t.Errorf("%v: %d bytes", err, len(body))
		}
		synctest.Wait() // the handler ends behind its last byte
		if n := large.large.Load(); n != 0 {
			t.Errorf("%d are still counted", n)
		}
	})
}
