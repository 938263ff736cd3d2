package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// diesBeforeReady ends, stops or attacks before anything is registered.
func (b *bridge) diesBeforeReady() bool {
	go b.attack("start")
	if b.set.str("stopped", "") == "start" {
		b.stopItself()
	}
	switch {
	case b.set.on("exit"):
		b.finish(outcome{code: b.set.number("exit", 1)})
	case b.set.on("signal-before-ready"):
		b.finish(outcome{signal: sysSignal(b.set.number("signal-before-ready", 9))})
	default:
		return false
	}
	return true
}

// endsByItself is crash-after and exit-after-ready.
func (b *bridge) endsByItself() {
	switch {
	case b.set.on("exit-after-ready"):
		b.pause(b.set.scaled(50 * time.Millisecond))
		b.finish(outcome{code: b.set.number("exit-after-ready", 0)})
	case b.set.on("crash-after"):
		_, opts := b.set.value("crash-after")
		if !b.pause(b.set.after("crash-after", time.Second)) {
			return
		}
		if sig, err := strconv.Atoi(opts["signal"]); err == nil {
			b.finish(outcome{signal: sysSignal(sig)})
			return
		}
		b.finish(outcome{code: optionCode(opts, 1)})
	}
}

// obeys tells whether a stop signal has its effect. The first SIGINT of
// sigint-needs-two prints the hint of clauster's era (claude-cli.md §6).
func (b *bridge) obeys(sig sysSignal) bool {
	stops := sig == syscall.SIGINT || sig == syscall.SIGTERM
	switch {
	case b.set.on("hang-on-all"), b.set.on("silent-hang") && stops, b.set.on("hang-on-sigterm") && stops:
		return false
	case b.set.on("hang-on-sigint") && sig == syscall.SIGINT:
		return false
	case b.set.on("sigint-needs-two") && sig == syscall.SIGINT:
		if b.hinted.CompareAndSwap(false, true) {
			b.screen.line("Press Ctrl-C again to exit")
			return false
		}
	}
	return true
}

// delayedExit waits as exits-after says.
func (b *bridge) delayedExit() {
	if b.set.on("exits-after") {
		b.pause(b.set.after("exits-after", 20*time.Second))
	}
}

// stopItself is SIGSTOP; it returns after SIGCONT.
func (b *bridge) stopItself() {
	b.rec.event("stopping-itself")
	_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
}

// startCounting prints `#00000001` and so on, one write per batch, whatever
// else happens: a lost or doubled byte shows as a gap or a broken line.
func (b *bridge) startCounting() {
	if !b.set.on("count") {
		return
	}
	b.screen.mu.Lock()
	b.screen.plain = true
	b.screen.mu.Unlock()
	rate := max(b.set.number("count", 10), 1)
	tick := time.Second / time.Duration(rate)
	tick = max(tick, 2*time.Millisecond)
	go func() {
		begun := time.Now()
		for b.pause(tick) {
			due := int64(time.Since(begun).Seconds() * float64(rate))
			var batch []byte
			n := b.counted.Load()
			// After a SIGSTOP much is due at once: in portions, so that one
			// write never exceeds a terminal's buffer by much.
			for ; n < due && len(batch) < 2000; n++ {
				batch = fmt.Appendf(batch, "#%08d\n", n+1)
			}
			b.emitCount(batch)
			b.counted.Store(n)
		}
	}()
}

func (b *bridge) emitCount(batch []byte) {
	if len(batch) == 0 {
		return
	}
	to := b.set.str("count-to", "terminal")
	if to != "debug" {
		b.screen.write(batch)
	}
	if to != "terminal" {
		for i := 0; i+10 <= len(batch); i += 10 {
			b.dbg.debug("%s", batch[i:i+9])
		}
	}
}

// sayCount ends the sequence with the last number, so that a reader knows
// that nothing is missing at the end.
func (b *bridge) sayCount() {
	b.screen.write(fmt.Appendf(nil, "#end %d\n", b.counted.Load()))
}

// flood writes RATE bytes a second, up to a total.
func (b *bridge) flood() {
	if !b.set.on("flood") {
		return
	}
	arg, opts := b.set.value("flood")
	rate, total := size(arg), int64(1)<<62
	for name := range opts {
		if n := size(name); n > 0 {
			total = n
		}
	}
	chunk := floodChunk(opts["kind"])
	begun, written, lines := time.Now(), int64(0), 0
	for b.pause(5*time.Millisecond) && written < total {
		due := min(int64(time.Since(begun).Seconds()*float64(rate)), total)
		for written < due {
			if opts["to"] != "stdout" {
				b.dbg.raw(chunk)
			}
			if opts["to"] == "stdout" || opts["to"] == "both" {
				b.screen.write(chunk)
			}
			written += int64(len(chunk))
			lines += bytes.Count(chunk, []byte{'\n'})
		}
	}
	b.rec.event("flooded", "bytes", written, "lines", lines)
}

// floodChunk is about 8 KB of one kind; oneline is 1 MB without a newline,
// then one.
func floodChunk(kind string) []byte {
	var chunk []byte
	switch kind {
	case "oneline":
		chunk = make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = 'x'
		}
		chunk[len(chunk)-1] = '\n'
	case "garbage":
		for i := 0; len(chunk) < 8192; i++ {
			chunk = append(chunk, fmt.Sprintf("\x1b[%d;%dH\x1b]0;title\a\xff\xfe\xc3\x28 \x00\x9b31m\x1bP broken %d\n", i%50, i%200, i)...)
		}
	case "long":
		for len(chunk) < 8191 {
			chunk = append(chunk, "long "...)
		}
		chunk = append(chunk, '\n')
	default:
		for i := 0; len(chunk) < 8192; i++ {
			chunk = append(chunk, fmt.Sprintf("2026-11-21T19:01:37.229Z [DEBUG] flood line %d of a busy bridge, nothing to see in it\n", i)...)
		}
	}
	return chunk
}

// eaten holds the memory of eat: reachable, so that nothing frees it.
type eaten struct {
	mu     sync.Mutex
	blocks [][]byte
}

// eat takes memory in 1 MiB steps and touches each page.
func (b *bridge) eat() {
	if !b.set.on("eat") {
		return
	}
	arg, opts := b.set.value("eat")
	if has(opts, "child") {
		b.children.forkEater(arg)
		return
	}
	new(eaten).take(size(arg), b.over)
	b.rec.event("eaten", "bytes", size(arg))
	<-b.over
}

func (e *eaten) take(bytes int64, over <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ; bytes > 0; bytes -= 1 << 20 {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		e.blocks = append(e.blocks, block)
		select {
		case <-over:
			return
		default:
		}
	}
}

// selfUpdate removes or replaces the executable this process runs from
// (#84817, #88103) and changes what --version says.
func (b *bridge) selfUpdate() {
	if !b.set.on("self-update") || !b.pause(b.set.scaled(time.Second)) {
		return
	}
	executable, err := os.Executable()
	if err != nil {
		return
	}
	if b.set.str("self-update", "") == "remove" {
		_ = os.Remove(executable)
	} else if copyFile("/proc/self/exe", executable+".new") == nil {
		_ = os.Rename(executable+".new", executable)
		_ = os.MkdirAll(b.places.configDir, 0o700)
		_ = os.WriteFile(b.places.updatedFile(), []byte("2.1.331"), 0o600)
	}
	b.rec.event("self-updated", "executable", filepath.Clean(executable))
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(dst, src); err != nil {
		_ = dst.Close()
		return err
	}
	return dst.Close()
}

// writePlaceholder is the exec-format mode: the text file without a shebang
// that a blocked postinstall leaves (#80021). It is no mode of a running
// program, so it is a command: `fakeclaude __write-placeholder PATH`.
func writePlaceholder(path string) outcome {
	const text = "Error: claude native binary not installed.\n\nEither postinstall did not run (--ignore-scripts) or the platform-native optional dependency was not downloaded.\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "cannot write placeholder:", err)
		return outcome{code: 1}
	}
	return outcome{}
}
