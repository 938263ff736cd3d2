package door

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network, for bubbles of package synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// answer sends a request and reads the answer's body.
func answer(c net.Conn, request string) string {
	go func() { _, _ = io.WriteString(c, request) }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// waiting answers when its request has ended, or after so long.
func waiting(long time.Duration, stream bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stream {
			var cancel context.CancelFunc
			r, cancel = Stream(r)
			defer cancel()
		}
		began := time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			fmt.Fprint(w, "ended after ", time.Since(began).Round(time.Second))
		case <-time.After(long):
			fmt.Fprint(w, "whole")
		}
	})
}

// TestLongAnswers: the limit of a body is none of the answer, with a body or
// without one: a job is waited for, a stream is looked at.
func TestLongAnswers(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			d := Open(quiet(), Door{Name: "api", Listeners: []net.Listener{l}, Handler: waiting(10*bodyWait, false)})
			c := l.dial()
			if got := answer(c, request); got != "whole" {
				t.Errorf("%q: %s", request, got)
			}
			c.Close()
			_ = d.Drain(t.Context())
		})
	}
}

// TestDribblingBody: a body that does not come ends with its limit.
func TestDribblingBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		d := Open(quiet(), Door{Name: "api", Listeners: []net.Listener{l}, Handler: waiting(10*bodyWait, false)})
		c := l.dial()
		defer c.Close()
		began := time.Now()
		_ = answer(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
		if took := time.Since(began); took > 2*bodyWait {
			t.Errorf("it was waited for %v", took)
		}
		_ = d.Drain(t.Context())
	})
}

// TestDrainFinishes: a drain ends streams at once, lets a short answer finish,
// and tells who waits long that nobody will.
func TestDrainFinishes(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"short":  {waiting(time.Second, false), "whole"},
		"long":   {waiting(time.Minute, false), "ended after " + drainGrace.String()},
		"stream": {waiting(time.Minute, true), "ended after 0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newPipes()
			d := Open(quiet(), Door{Name: "api", Listeners: []net.Listener{l}, Handler: c.handler})
			conn := l.dial()
			defer conn.Close()
			got := make(chan string, 1)
			go func() { got <- answer(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
			synctest.Wait()
			if err := d.Drain(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if text := <-got; !strings.HasPrefix(text, c.want) {
				t.Errorf("%s: %s, want %s", name, text, c.want)
			}
		})
	}
}

// TestNoUse: what does not count as use lets the service be idle.
func TestNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		d := Open(quiet(), Door{Name: "api", Listeners: []net.Listener{l}, Handler: waiting(time.Second, false),
			NoUse: func(r *http.Request) bool { return r.URL.Path == "/self" }})
		before := d.LastUse()
		c := l.dial()
		defer c.Close()
		<-time.After(time.Second)
		if answer(c, "GET /self HTTP/1.1\r\nHost: x\r\n\r\n"); d.LastUse() != before {
			t.Error("a look at itself counts as use")
		}
		if answer(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); d.LastUse() == before {
			t.Error("a request does not count as use")
		}
		_ = d.Drain(t.Context())
	})
}
