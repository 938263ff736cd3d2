package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Rate is how many requests are answered in a second: by the API, by the least
// that net/http can do in the same sandbox, and without one. A service's
// seccomp filters cost something at each system call, whatever it serves.
type Rate struct {
	API  float64 `json:"api"`
	Bare float64 `json:"bare"`
	Free float64 `json:"free"`
}

// rateClients ask at once; with fewer the cores would wait for each other.
const rateClients = 8

// rate asks the servers in turns, so that a busy moment of the machine falls
// upon all.
func rate(ctx context.Context, turns int, path string) (any, error) {
	const program, free, inSandbox = "/usr/local/bin/probe-bare", "/run/probe-free.sock", "/run/probe/bare.sock"
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(program, self, 0o755); err != nil {
		return nil, err
	}
	server := exec.Command(program, "bare", "0", free)
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	text, err := sandboxed("exec", program+" bare 0 "+inSandbox+"\nRuntimeDirectory=probe")
	if err != nil {
		return nil, err
	}
	bus, err := plain(ctx, text)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	if result, err := bus.StartUnit(ctx, plainUnit); err != nil || result != "done" {
		return nil, fmt.Errorf("start of the bare server: %s, %w", result, err)
	}
	defer func() { _, _ = bus.StopUnit(context.WithoutCancel(ctx), plainUnit) }()
	var r Rate
	for range turns {
		for address, sum := range map[string]*float64{free: &r.Free, inSandbox: &r.Bare, apiSocket: &r.API} {
			if err := until(5*time.Second, func() bool { return answers(address, path) }); err != nil {
				return nil, err
			}
			answered, err := hammer(address, path, 2*time.Second)
			if err != nil {
				return nil, err
			}
			*sum += answered / float64(turns)
		}
	}
	return r, nil
}

func answers(address, path string) bool {
	c, err := dial(address)
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.get(path)
	return err == nil
}

// hammer gives answers per second.
func hammer(address, path string, d time.Duration) (float64, error) {
	counts, faults := make([]int, rateClients), make([]error, rateClients)
	begin := time.Now()
	var group sync.WaitGroup
	for i := range rateClients {
		group.Go(func() {
			c, err := dial(address)
			if err != nil {
				faults[i] = err
				return
			}
			defer c.Close()
			for time.Since(begin) < d && faults[i] == nil {
				_, faults[i] = c.get(path)
				counts[i]++
			}
		})
	}
	group.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(begin).Seconds(), errors.Join(faults...)
}

// bare answers everything with a few constant bytes.
func bare(socket string) error {
	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	body := []byte("{\"status\":\"ok\"}\n")
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
}
