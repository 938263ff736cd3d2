package keeper

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/spool"
)

func TestDelays(t *testing.T) {
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
	for n, seconds := range want {
		if got := delayAfter(n); got != seconds*time.Second {
			t.Errorf("delayAfter(%d) = %s", n, got)
		}
	}
	if got := delayAfter(1 << 30); got != longestDelay {
		t.Errorf("a huge count gives %s", got)
	}
}

func TestCrashesAreCountedAndForgiven(t *testing.T) {
	now := time.Unix(100000, 0)
	s, crash := &state{}, bridge.Verdict{Reason: "it crashed", Status: bridge.Crashed}
	for range crashBudget - 1 {
		if s.budgetOut(now, now) {
			t.Fatalf("budget spent after %d crashes", s.Crashes)
		}
		s.count(now.Add(-time.Minute), now, crash)
	}
	if !s.budgetOut(now.Add(-time.Minute), now) {
		t.Fatalf("budget not spent after %d crashes", s.Crashes)
	}
	if s.budgetOut(now.Add(-healthyAfter), now) {
		t.Error("ten minutes of READY forgive nothing")
	}
	s.count(now.Add(-healthyAfter), now, crash)
	if s.Crashes != 1 || s.Next.Sub(now) != firstDelay {
		t.Errorf("after a healthy run: %d crashes, next in %s", s.Crashes, s.Next.Sub(now))
	}
}

// An outage of a day must not leave a bridge one crash away from being given up.
func TestPassingFaultsSpendNoBudget(t *testing.T) {
	now := time.Unix(100000, 0)
	s := &state{}
	for range 3 * crashBudget {
		s.count(time.Time{}, now, bridge.Verdict{Reason: "offline", Status: bridge.Failed, Passing: true})
	}
	if s.budgetOut(time.Time{}, now) || s.Crashes != 0 {
		t.Errorf("passing faults count as %d crashes", s.Crashes)
	}
	if s.Next.Sub(now) != longestDelay {
		t.Errorf("the next try is in %s, want %s", s.Next.Sub(now), longestDelay)
	}
}

func TestMemoSurvivesItsKeeper(t *testing.T) {
	m, err := newMemo()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // both slots
		if err := m.save(&state{Version: stateVersion, Instance: "blog", Crashes: i}); err != nil {
			t.Fatal(err)
		}
	}
	m.setScanned(77)
	m.setSpool(spool.Position{Inode: 5, Offset: 4096, Skip: true})
	dup, err := unix.Dup(m.fd)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openMemo(dup)
	if err != nil {
		t.Fatal(err)
	}
	var st state
	found, err := again.load(&st)
	if err != nil || !found || st.Crashes != 4 || again.scanned() != 77 || again.spool() != (spool.Position{Inode: 5, Offset: 4096, Skip: true}) {
		t.Fatalf("%+v %v %v, scanned %d, spool %+v", st, found, err, again.scanned(), again.spool())
	}
}

func TestForeignMemoIsRefused(t *testing.T) {
	fd, err := unix.MemfdCreate("foreign", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := openMemo(fd); err == nil {
		t.Error("an empty memfd was taken")
	}
	if err := unix.Ftruncate(fd, memoSize); err != nil {
		t.Fatal(err)
	}
	if _, err := openMemo(fd); err == nil {
		t.Error("a memfd of zeros was taken")
	}
}

func TestMemoRefusesWhatDoesNotFit(t *testing.T) {
	m, err := newMemo()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.save(&state{Instance: "blog"}); err != nil {
		t.Fatal(err)
	}
	if err := m.save(&state{LastEnd: string(make([]byte, memoSlot))}); err == nil {
		t.Error("an oversized state was taken")
	}
	var st state
	if found, err := m.load(&st); !found || err != nil || st.Instance != "blog" {
		t.Errorf("the good state is gone: %+v, %v", st, err)
	}
}

func TestKeeperDied(t *testing.T) {
	// The rows of systemd-252.md §7 «Which death was it».
	for _, c := range []struct {
		code, status string
		want         bool
	}{
		{"killed", "KILL", true}, {"dumped", "ABRT", true}, {"exited", "2", true}, {"killed", "TERM", true}, {"killed", "HUP", true},
		{"exited", "0", false}, {"exited", "70", false}, {"exited", "75", false}, {"exited", "69", false}, {"exited", "78", false},
		{"exited", "203", true}, {"exited", "1", true}, {"exited", "76", false}, {"exited", "77", false}, {"", "", true},
	} {
		if got := keeperDied(c.code, c.status); got != c.want {
			t.Errorf("keeperDied(%s, %s) = %v", c.code, c.status, got)
		}
	}
}

func TestLadder(t *testing.T) {
	for _, mode := range bridge.Modes() {
		var total time.Duration
		var signals []unix.Signal
		for _, r := range ladder(mode) {
			total += r.wait
			if r.signal != unix.SIGCONT {
				signals = append(signals, r.signal)
			}
		}
		if total != intWait+termWait {
			t.Errorf("%s: SIGKILL after %s", mode, total)
		}
		if signals[0] != unix.SIGINT || signals[len(signals)-1] != unix.SIGKILL {
			t.Errorf("%s: %v", mode, signals)
		}
		if mode == bridge.PTY && signals[1] != unix.SIGINT {
			t.Errorf("the flag form needs a second SIGINT: %v", signals)
		}
	}
}

// A stop that meets a dead keeper half way goes on where it was.
func TestRemainingLadder(t *testing.T) {
	steps := ladder(bridge.Standard)
	for _, c := range []struct {
		into  time.Duration
		first unix.Signal
		sum   time.Duration
	}{
		{-time.Second, unix.SIGINT, intWait + termWait}, {time.Hour, unix.SIGINT, intWait + termWait},
		{time.Second, unix.SIGINT, intWait + termWait - time.Second},
		{intWait, unix.SIGTERM, termWait}, {intWait + time.Second, unix.SIGTERM, termWait - time.Second},
		{intWait + termWait, unix.SIGKILL, 0},
	} {
		got := remaining(steps, c.into)
		var sum time.Duration
		for _, s := range got {
			sum += s.wait
		}
		if got[0].signal != c.first || sum != c.sum {
			t.Errorf("%v into the stop: first %v, %v in all", c.into, got[0].signal, sum)
		}
	}
}

// Ten deaths cost nothing, a series of them a pause each, until it is over.
func TestBrake(t *testing.T) {
	s, now := &state{}, time.Unix(1000, 0)
	for n := range 30 {
		now = now.Add(100 * time.Millisecond)
		if got := s.brake(now); (got > 0) != (n >= brakeAfter) {
			t.Errorf("death %d: %v", n+1, got)
		}
	}
	if got := s.brake(now.Add(brakeWindow)); got != 0 {
		t.Errorf("%v after a quiet while", got)
	}
	if got := s.brake(now.Add(-time.Hour)); got != 0 {
		t.Errorf("%v after a step of the clock", got)
	}
}
