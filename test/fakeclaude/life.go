package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type sysSignal = syscall.Signal

// life is the running time of one bridge: it ends once, with one outcome.
type life struct {
	once sync.Once
	over chan struct{}
	end  outcome
}

func newLife() *life { return &life{over: make(chan struct{})} }

// finish ends it; the first call wins.
func (l *life) finish(o outcome) {
	l.once.Do(func() {
		l.end = o
		close(l.over)
	})
}

// pause waits and tells whether life goes on.
func (l *life) pause(d time.Duration) bool {
	select {
	case <-l.over:
		return false
	default:
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.over:
		return false
	case <-t.C:
		return true
	}
}

// wait is the end.
func (l *life) wait() outcome {
	<-l.over
	return l.end
}

// signals calls handle for every catchable signal, from the moment it
// returns. SIGPIPE is caught only so that a closed pipe is an error and not a
// death; SIGURG is the Go runtime's own.
func signals(rec *recorder, handle func(sysSignal)) {
	ch := make(chan os.Signal, 64)
	signal.Notify(ch, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGWINCH, unix.SIGCONT, unix.SIGPIPE, unix.SIGALRM)
	go func() {
		for s := range ch {
			sig, ok := s.(sysSignal)
			if !ok {
				continue
			}
			rec.event("signal", "signal", unix.SignalName(sig))
			handle(sig)
		}
	}()
}

// dieBy kills this process by sig with the default action, past Go's own
// handlers, and without a core file.
func dieBy(sig sysSignal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	defaultAction(sig)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	os.Exit(128 + int(sig))
}
