package spool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// debugText is about n bytes of lines as claude writes them.
func debugText(n int) []byte {
	var text bytes.Buffer
	for i := 0; text.Len() < n; i++ {
		fmt.Fprintf(&text, "2026-11-21T19:01:37.%03dZ [DEBUG] [bridge:work] poll %d %s\n", i%1000, i, strings.Repeat("x", i%120))
	}
	return text.Bytes()
}

// handlers are what a line may cost: nothing, and a search for eight markers.
func handlers() map[string]func([]byte) {
	var markers [][]byte
	for _, m := range []string{"[bridge:init]", "environment_id=", "[bridge:api]", "Created initial session", "Remote Control", "[bridge:shutdown]", "401", "[ERROR]"} {
		markers = append(markers, []byte(m))
	}
	var found atomic.Int64
	return map[string]func([]byte){
		"nothing": func([]byte) {},
		"markers": func(line []byte) {
			for _, m := range markers {
				if bytes.Contains(line, m) {
					found.Add(1)
				}
			}
		},
	}
}

// BenchmarkBatch is the plain cost of reading, splitting and freeing; %core is
// what a flood of 10 MB/s would take of one core.
func BenchmarkBatch(b *testing.B) {
	text := debugText(4 << 20)
	for name, handle := range handlers() {
		b.Run(name, func(b *testing.B) {
			dir := benchDir(b)
			if err := Create(dir, "debug.log", -1, -1); err != nil {
				b.Fatal(err)
			}
			f, err := Open(Options{Dir: dir, Name: "debug.log", Handle: handle})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w, err := os.OpenFile(dir+"/debug.log", os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				if _, err := w.Write(text); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				f.Drain(time.Now().Add(time.Minute))
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(len(text))*10e6*100, "%core@10MB/s")
		})
	}
}

// benchDir prefers memory, where the spool of an installed keeper lies.
func benchDir(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "spool")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

const floodEnv = "CLAUSTER_TEST_FLOOD"

// TestFloodWriter is no test: it is the writer of BenchmarkFlood, in a process
// of its own so that its CPU time is not counted.
func TestFloodWriter(t *testing.T) {
	path := os.Getenv(floodEnv)
	if path == "" {
		t.Skip("runs as a child of BenchmarkFlood")
	}
	w, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := debugText(1 << 20)
	fmt.Println("ready")
	io.ReadFull(os.Stdin, make([]byte, 1))
	tick := time.NewTicker(time.Millisecond)
	for began, sent := time.Now(), 0; time.Since(began) < 3*time.Second; <-tick.C {
		for due := int(time.Since(began).Seconds() * 10e6); sent < due; {
			from := sent % len(text)
			n, _ := w.Write(text[from:min(from+1000, len(text))])
			sent += n
		}
	}
}

// BenchmarkFlood follows a live flood of 10 MB/s for 3 s and reports the share
// of one core that this process took. Goal: 15 %.
func BenchmarkFlood(b *testing.B) {
	for name, handle := range handlers() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				flood(b, handle)
			}
		})
	}
}

func flood(b *testing.B, handle func([]byte)) {
	dir := benchDir(b)
	if err := Create(dir, "debug.log", -1, -1); err != nil {
		b.Fatal(err)
	}
	f, err := Open(Options{Dir: dir, Name: "debug.log", Handle: handle})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFloodWriter$")
	cmd.Env = append(os.Environ(), floodEnv+"="+dir+"/debug.log")
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	io.ReadFull(stdout, make([]byte, len("ready\n")))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	began, before := time.Now(), cpuTime()
	go func() {
		stdin.Close()
		cmd.Wait()
		cancel()
	}()
	f.Follow(ctx)
	used, took := cpuTime()-before, time.Since(began)
	b.ReportMetric(used.Seconds()/took.Seconds()*100, "%core")
	b.ReportMetric(float64(f.Stats().Bytes)/took.Seconds()/1e6, "MB/s")
	b.ReportMetric(float64(f.Stats().Lines)/took.Seconds(), "lines/s")
}

func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
