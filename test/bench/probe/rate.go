package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Rate is how many requests are answered in a second, by the API and by the
// least that net/http can do.
type Rate struct {
	API  float64 `json:"api"`
	Bare float64 `json:"bare"`
}

// rateClients ask at once; with fewer the cores would wait for each other.
const rateClients = 8

// rate asks both servers in turns, so that a busy moment of the machine falls
// upon both.
func rate(turns int, path string) (any, error) {
	socket := filepath.Join(os.TempDir(), "probe-bare.sock")
	server := exec.Command("/proc/self/exe", "bare", "0", socket)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the bare server: %w", err)
	}
	var r Rate
	for range turns {
		for address, sum := range map[string]*float64{socket: &r.Bare, apiSocket: &r.API} {
			answered, err := hammer(address, path, 2*time.Second)
			if err != nil {
				return nil, err
			}
			*sum += answered / float64(turns)
		}
	}
	return r, nil
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

// bare answers everything with a few constant bytes; it ends with its parent.
func bare(socket string) error {
	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	body := []byte("{\"status\":\"ok\"}\n")
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
}
