package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// sse writes server-sent events. One goroutine uses it.
type sse struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
	last time.Time // when something was written
}

// newSSE begins the stream.
func newSSE(w http.ResponseWriter) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	s := &sse{w: w, ctrl: http.NewResponseController(w), last: time.Now()}
	_ = s.ctrl.Flush()
	return s
}

// send writes one event; id may be empty. A reader that does not take it in
// time is given up.
func (s *sse) send(name, id string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cannot encode an event: %w", err)
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	return s.write(b.Bytes())
}

// ping keeps proxies from closing a silent stream.
func (s *sse) ping() error { return s.write([]byte(":\n\n")) }

func (s *sse) write(p []byte) error {
	_ = s.ctrl.SetWriteDeadline(time.Now().Add(frameTime))
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	s.last = time.Now()
	return s.ctrl.Flush()
}
