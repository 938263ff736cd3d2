package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Floods of 10 MB/s through the debug file and the terminal, of every kind that
// hurts: the keeper, the journal and the disk stay within their bounds, and
// what the bridge says in between is still heard.
func TestFloods(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	total := fmt.Sprintf("10M:%dM", soak(20, 300))
	floods := []string{"lines-debug", "garbage-both", "long-debug", "oneline-both", "long-both", "garbage-debug", "oneline-debug"}
	for _, flood := range floods[:soak(4, len(floods))] {
		t.Run(flood, func(t *testing.T) {
			b := &bed{b.With(t), t}
			kind, to, _ := strings.Cut(flood, "-")
			b.flood("flood-"+flood, total+":to="+to+":kind="+kind)
		})
	}
}

func (b *bed) flood(name, how string) {
	b.t.Helper()
	// It loses its connection in the middle for 1 s (scale 0.05), long enough for
	// its health to be told; that it is well again is told 5 s later.
	b.newProject(name, map[string]string{"flood": how, "reconnect-after": "15:for=20", "record": "~/flooded-" + name})
	begun := time.Now()
	b.mustStart(name)
	keeper := b.keeperPID(name)
	var largest int64
	b.MustWaitFor("the end of the flood", 2*settle, func() bool {
		used, err := strconv.ParseInt(strings.Fields(b.MustSh(`du -sk "/run/clauster/spool/$1"`, name))[0], 10, 64)
		if err != nil {
			b.t.Fatal(err)
		}
		largest = max(largest, used)
		return strings.Contains(b.MustSh(`cat /home/op/flooded-"$1"`, name), `"flooded"`)
	})
	b.MustWaitFor("both changes of health", settle, func() bool { return b.countEvents(name, "health") >= 2 })
	if s := b.status(name); s.Status != "running" || s.Health != "ok" {
		b.t.Errorf("status after the flood: %+v", s)
	}
	if now := b.keeperPID(name); now != keeper {
		b.t.Errorf("keeper %d became %d", keeper, now)
	}
	if peak := b.peakKiB(keeper); peak > 64<<10 {
		b.t.Errorf("the keeper took %d KiB", peak)
	}
	if largest > 80<<10 { // the backlog is 64 MiB
		b.t.Errorf("the spool took %d KiB", largest)
	}
	b.stop(name)
	b.checkFlooded(name, time.Since(begun), largest)
}

// peakKiB is the most memory a process ever had, proc(5).
func (b *bed) peakKiB(pid int) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(b.MustSh(`awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"`, strconv.Itoa(pid))))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// checkFlooded looks at what of the flood has reached the journal.
func (b *bed) checkFlooded(name string, took time.Duration, spool int64) {
	b.t.Helper()
	b.MustRun("journalctl", "--sync")
	sent, dropped := 0, 0
	for _, e := range b.MustJournal("CLAUSTER_INSTANCE=" + name) {
		if n, err := strconv.Atoi(e.Get("CLAUSTER_DROPPED_LINES")); err == nil {
			dropped += n
		}
		if e.Get("CLAUSTER_SOURCE") == "" {
			continue
		}
		sent++
		if text := e.Get("MESSAGE"); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 9<<10 {
			b.t.Errorf("a line of %d bytes is not fit for a terminal: %.80q", len(text), text)
		}
	}
	// The budget (200 a second, 2,000 at once) and the reserve of markers.
	most := 2000 + 200*int(took.Seconds()+1)
	most += most/10 + 50
	if sent > most {
		b.t.Errorf("%d lines reached the journal in %v", sent, took)
	}
	written := b.flooded(name)
	if written > most && dropped == 0 {
		b.t.Errorf("nothing says that of %d lines some were dropped", written)
	}
	b.t.Logf("%v: %d lines written, %d sent, %d dropped, spool at most %d KiB", took.Round(time.Millisecond), written, sent, dropped, spool)
}

// flooded is how many lines the stand-in says it has written.
func (b *bed) flooded(name string) (lines int) {
	b.t.Helper()
	for entry := range strings.Lines(b.MustSh(`cat /home/op/flooded-"$1"`, name)) {
		var e struct {
			Event string `json:"event"`
			Lines int    `json:"lines"`
		}
		if json.Unmarshal([]byte(entry), &e) == nil && e.Event == "flooded" {
			lines = e.Lines
		}
	}
	if lines == 0 {
		b.t.Errorf("the stand-in has not said how much it wrote")
	}
	return lines
}

// A debug file that is rotated, replaced, cut or deleted under the keeper.
func TestDebugFileUnderAttack(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for name, c := range map[string]struct {
		keys  map[string]string
		spoil string // $1 is the debug file
	}{
		"spool-rotated":   {map[string]string{"debug-reopen": "yes"}, `mv "$1" "$1.1"`},
		"spool-truncated": {nil, `: >"$1"`},
		"spool-grown":     {nil, `truncate -s 1T "$1"`},
		"spool-deleted":   {map[string]string{"debug-reopen": "yes"}, `rm "$1"`},
		"spool-swapped":   {map[string]string{"debug-reopen": "yes"}, `cp "$1" "$1.new"; mv "$1.new" "$1"`},
		"spool-link":      {nil, `rm "$1"; ln -s /etc/shadow "$1"`},
		"spool-fifo":      {nil, `rm "$1"; mkfifo "$1"`},
		"spool-directory": {nil, `rm "$1"; mkdir -p "$1/below"`},
		"spool-gone":      {nil, `rm -r "$(dirname "$1")"/*`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bed{b.With(t), t}
			keys := map[string]string{"reconnect-after": "30:for=20", "poll": "1"} // 1.5 s after ready
			for k, v := range c.keys {
				keys[k] = v
			}
			b.newProject(name, keys)
			b.mustStart(name)
			keeper := b.keeperPID(name)
			file := strings.TrimSpace(b.MustSh(`ls -d "/run/clauster/spool/$1"/debug-*.log`, name))
			b.MustRunAs("op", "sh", "-c", c.spoil, "sh", file)
			// Heard by file or screen, whatever became of the former.
			b.MustWaitFor("both changes of health", settle, func() bool { return b.countEvents(name, "health") >= 2 })
			if now := b.keeperPID(name); now != keeper {
				t.Errorf("keeper %d became %d", keeper, now)
			}
			// And a new keeper finds the same mess.
			b.MustKill(keeper, syscall.SIGKILL)
			b.waitReattached(name, keeper)
			if s := b.status(name); s.Status != "running" || s.Health != "ok" {
				t.Errorf("status: %+v", s)
			}
			b.stop(name)
			b.waitRuns(name, "spawn ready stop")
			if got := b.result("test", "-e", "/run/clauster/spool/"+name); got.Code == 0 {
				t.Errorf("the spool is left")
			}
			b.mustStart(name)
			b.stop(name)
		})
	}
}
