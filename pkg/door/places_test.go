package door

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// twoPlaces serves with two places: /wait takes a minute, all else no time.
func twoPlaces() (*pipes, *Doors) {
	l := newPipes()
	return l, Open(quiet(), Door{Name: "web", Listeners: []net.Listener{l}, Limit: 2,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-time.After(time.Minute)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "whole")
		})})
}

const plainRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// TestPlacesOfTheSlow: who asks nothing, or not to the end, loses his place to
// one who comes, and to nobody else.
func TestPlacesOfTheSlow(t *testing.T) {
	for name, hold := range map[string]func(c net.Conn){
		"nothing": func(net.Conn) {},
		"header":  func(c net.Conn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n") },
		"body": func(c net.Conn) {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
		},
		"idle": func(c net.Conn) { _ = answer(c, plainRequest) },
	} {
		synctest.Test(t, func(t *testing.T) {
			l, d := twoPlaces()
			longest, other := l.dial(), l.dial()
			defer longest.Close()
			defer other.Close()
			hold(longest)
			<-time.After(restGrace / 2)
			hold(other)
			began := time.Now()
			if got := answer(l.dial(), plainRequest); got != "whole" {
				t.Errorf("%s: %s", name, got)
			}
			if took := time.Since(began); took > restGrace {
				t.Errorf("%s: it took %v", name, took)
			}
			if _, err := longest.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: who rests longest has his place: %v", name, err)
			}
			_ = other.SetReadDeadline(time.Now())
			if _, err := other.Read(make([]byte, 1)); err == io.EOF {
				t.Errorf("%s: the other lost his place", name)
			}
			other.Close() // nobody reads what it would be told
			_ = d.Drain(t.Context())
		})
	}
}

// TestPlacesOfTheBusy: a request at work keeps its place, and who comes waits.
func TestPlacesOfTheBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := twoPlaces()
		answers := make(chan string, 2)
		requests := []string{"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"POST /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}
		for _, request := range requests {
			c := l.dial()
			defer c.Close()
			go func() { answers <- answer(c, request) }()
		}
		began := time.Now()
		if got := answer(l.dial(), plainRequest); got != "whole" {
			t.Error(got)
		}
		if took := time.Since(began); took < time.Minute {
			t.Errorf("it took %v", took)
		}
		for range requests {
			if got := <-answers; got != "whole" {
				t.Errorf("a request at work: %s", got)
			}
		}
		_ = d.Drain(t.Context())
	})
}

// TestPlacesGivenBack: a place is given back once, by whatever ends.
func TestPlacesGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		p := newPlaces(l, 1)
		for range 3 {
			go l.dial()
			c, err := p.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			c.Close()
			c.(*placed).rest()
			c.(*placed).work()
			if p.taken != 0 || p.resting.Len() != 0 {
				t.Fatalf("%d taken, %d resting", p.taken, p.resting.Len())
			}
		}
	})
}

// TestDrainAnswersWhoWaits: who waits for a place when a drain begins is let in.
func TestDrainAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := twoPlaces()
		for range 2 {
			c := l.dial()
			defer c.Close()
			_, _ = io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		third := l.dial()
		defer third.Close()
		got := make(chan string)
		go func() { got <- answer(third, plainRequest) }()
		synctest.Wait()
		go func() { _ = d.Drain(t.Context()) }()
		if text := <-got; text != "whole" {
			t.Errorf("who waited: %s", text)
		}
		<-time.After(2 * time.Minute)
	})
}

// TestPlaceBelowTLS finds the place of a wrapped connection.
func TestPlaceBelowTLS(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	held := &placed{Conn: here}
	if got := placeOf(wrapped{bufio.NewReader(nil), held}); got != held {
		t.Error("no place")
	}
	if placeOf(there) != nil {
		t.Error("a place of nobody's")
	}
}

// wrapped is a connection as package tls has it.
type wrapped struct {
	_ *bufio.Reader
	net.Conn
}

func (w wrapped) NetConn() net.Conn { return w.Conn }
