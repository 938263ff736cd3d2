package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/wire"
)

func TestReadStream(t *testing.T) {
	text := ":\n\nid: 1\nevent: stop\ndata: {\"a\":1}\n\n: ping\n\nevent: x\ndata:one\ndata: two\nretry: 5\n\nevent: nothing\n\ndata: cut off"
	var got []string
	err := readStream(strings.NewReader(text), func(m message) error {
		got = append(got, fmt.Sprintf("%s %q", m.name, m.data))
		return nil
	})
	if want := `stop "{\"a\":1}"` + "|" + `x "one\ntwo"`; !errors.Is(err, io.ErrUnexpectedEOF) || strings.Join(got, "|") != want {
		t.Errorf("%v, %q", err, got)
	}
	if err := readStream(strings.NewReader(strings.Repeat("data: xxxxxxxx\n", maxMessage/8)), func(message) error { return nil }); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a message without an end: %v", err)
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add([]byte("id: 1\nevent: stop\ndata: {}\n\n"))
	f.Add([]byte(":\r\n\r\ndata\n\ndata:\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = readStream(bytes.NewReader(text), func(m message) error {
			if m.data == nil && len(m.data) > len(text) {
				t.Error("more than there is")
			}
			return nil
		})
	})
}

// An API that ends after each event: the follower comes back with the id.
func TestFollowEventsComesBack(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("kind")+" after "+r.URL.Query().Get("last_event_id"))
		if len(asked) == 3 {
			w.Header().Set("Content-Type", wire.ProblemType)
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail":"cannot answer: not yet","kind":"store-refused","status":503}`)
			return
		}
		fmt.Fprintf(w, "id: e%d\nevent: stop\ndata: {\"id\":\"e%d\",\"seq\":%d}\n\n", len(asked), len(asked), len(asked))
		if len(asked) == 4 {
			fmt.Fprint(w, "event: gap\ndata: {\"kind\":\"gap\"}\n\n")
		}
	})}}
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	enough := errors.New("enough")
	err = New(socket).FollowEvents(ctx, url.Values{"kind": {"stop"}}, "e0", func(e wire.Event) error {
		if got = append(got, e.ID+e.Kind); len(got) == 5 {
			return enough
		}
		return nil
	})
	if want := "e1 e2 e4 gap e5"; !errors.Is(err, enough) || strings.Join(got, " ") != want {
		t.Errorf("%v, %v", err, got)
	}
	if want := "stop after e0|stop after e1|stop after e2|stop after e2|stop after e4"; strings.Join(asked, "|") != want {
		t.Errorf("%v", asked)
	}
	var away *UnreachableError
	if err := New(socket+"x").FollowEvents(ctx, nil, "", nil); !errors.As(err, &away) {
		t.Error(err)
	}
}
