package main

import (
	"syscall"
	"time"
)

// onSignal: INT and TERM shut down with exit 0 (claude-cli.md §6). What HUP
// does to a live server is not known; it is taken to be as in the flag form.
func (s *server) onSignal(sig sysSignal) {
	switch sig {
	case syscall.SIGWINCH:
		s.resized()
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		if s.obeys(sig) {
			s.shutdown(sig)
		}
	}
}

// shutdown stops children and leaves; the environment is kept for a resume.
func (s *server) shutdown(sig sysSignal) {
	if sig == syscall.SIGQUIT {
		s.finish(outcome{signal: sig})
		return
	}
	if !s.stopping.CompareAndSwap(false, true) {
		return
	}
	if !s.ready.Load() && s.id.environment == "" { // a prompt or the checks
		s.finish(outcome{code: 128 + int(sig)})
		return
	}
	go func() {
		s.dbg.debug("[bridge:shutdown] %s received, shutting down", signalName(sig))
		s.pause(s.set.scaled(50 * time.Millisecond))
		s.children.stop()
		s.delayedExit()
		code := 0
		if sig == syscall.SIGHUP {
			code = 129
		}
		if s.sessions > 0 {
			s.dbg.debug("[bridge:shutdown] Skipping archive+deregister to allow resume")
			hastily(func() {
				s.screen.last("Environment preserved. Restart `claude remote-control` to reconnect existing sessions.")
			})
		}
		s.finish(outcome{code: code})
	}()
}
