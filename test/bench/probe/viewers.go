package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"clauster/pkg/bridge"
)

// view opens the log of an instance as a WebSocket.
func view(ctx context.Context, instance string, lines int) (*websocket.Conn, error) {
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", apiSocket)
	}}}
	url := fmt.Sprintf("ws://clauster/api/v1/instances/%s/logs?lines=%d", instance, lines)
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: c})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(1 << 20)
	return ws, nil
}

// lines measures from a line in the debug file, written as claude does, to the
// message that a viewer gets.
func lines(ctx context.Context, n int, instance string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ws, err := view(ctx, instance, 10)
	if err != nil {
		return nil, err
	}
	defer ws.CloseNow()
	debug, err := debugFile(bridge.Instance{Project: instance})
	if err != nil {
		return nil, err
	}
	defer debug.Close()
	var ms []float64
	for i := range n + 1 {
		begin := time.Now()
		word := fmt.Sprintf("probe line %d of %d", i, begin.UnixNano())
		if _, err := fmt.Fprintf(debug, "%s [DEBUG] %s\n", begin.UTC().Format("2006-01-02T15:04:05.000Z"), word); err != nil {
			return nil, err
		}
		for {
			_, message, err := ws.Read(ctx)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i, err)
			}
			if bytes.Contains(message, []byte(word)) {
				break
			}
		}
		if i > 0 { // the first one waits until the past has been read
			ms = append(ms, milliseconds(time.Since(begin)))
		}
		time.Sleep(time.Duration(37+i%29) * time.Millisecond) // at no one's rhythm
	}
	return figures(ms), nil
}

// debugFile opens the file that a bridge writes its log to.
func debugFile(i bridge.Instance) (*os.File, error) {
	procs, err := os.ReadFile("/sys/fs/cgroup/clauster.slice/" + i.Scope() + "/cgroup.procs")
	if err != nil {
		return nil, err
	}
	for pid := range strings.FieldsSeq(string(procs)) {
		line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		words := strings.Split(string(line), "\x00")
		for k, w := range words {
			if w == "--debug-file" && k+1 < len(words) {
				return os.OpenFile(words[k+1], os.O_WRONLY|os.O_APPEND, 0)
			}
		}
	}
	return nil, errors.New("cannot find the bridge's debug file")
}

// Viewers is what many viewers of one log cost the API.
type Viewers struct {
	Viewers  int     `json:"viewers"`
	Before   float64 `json:"rss_before_kb"`
	Early    float64 `json:"rss_early_kb"` // the most in the first half
	Late     float64 `json:"rss_late_kb"`  // and in the second: what grows shows here
	Rate     float64 `json:"bytes_per_second"`
	Skipped  float64 `json:"skipped"` // lines a viewer was too slow for, mean
	Complete float64 `json:"lines"`   // lines a viewer got, mean
}

// viewers lets many follow a log and watches the API's memory.
func viewers(ctx context.Context, n int, instance string, d time.Duration) (any, error) {
	pid, err := apiPID(ctx)
	if err != nil {
		return nil, err
	}
	v := Viewers{Viewers: n, Before: rss(pid)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var read, skipped, got atomic.Int64
	ended := make(chan error, n)
	for range n {
		ws, err := view(ctx, instance, 0)
		if err != nil {
			return nil, err
		}
		go func() {
			defer ws.CloseNow()
			for {
				_, message, err := ws.Read(ctx)
				if err != nil {
					ended <- err
					return
				}
				var gap struct{ Skipped int64 }
				if bytes.HasPrefix(message, []byte(`{"skipped"`)) && json.Unmarshal(message, &gap) == nil {
					skipped.Add(gap.Skipped)
				} else {
					got.Add(1)
				}
				read.Add(int64(len(message)))
			}
		}()
	}
	begin, start := time.Now(), read.Load()
	for took := time.Duration(0); took < d; took = time.Since(begin) {
		if most := rss(pid); took < d/2 {
			v.Early = max(v.Early, most)
		} else {
			v.Late = max(v.Late, most)
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.Rate = float64(read.Load()-start) / time.Since(begin).Seconds()
	v.Skipped, v.Complete = float64(skipped.Load())/float64(n), float64(got.Load())/float64(n)
	if len(ended) > 0 {
		return nil, fmt.Errorf("%s viewers were cut off: %w", strconv.Itoa(len(ended)), <-ended)
	}
	return v, nil
}
