package keeper

import "time"

// systemd starts a dead keeper again at once (RestartSec=0), so that a bridge is
// alone for as short as can be. What keeps a series of deaths from taking the
// machine's time, a panic in each keeper or an agent that kills them all, is
// this brake. It is applied before the drop of root, where no agent can kill
// the keeper that waits.
const (
	brakeWindow = 10 * time.Second
	brakeAfter  = 10 // deaths within the window that cost nothing
	brakePause  = 250 * time.Millisecond
)

// brake counts a keeper that found a predecessor's state and gives how long it
// waits before it goes on.
func (s *state) brake(now time.Time) time.Duration {
	if gone := now.Sub(s.DeathsSince); gone < 0 || gone > brakeWindow {
		s.Deaths, s.DeathsSince = 0, now
	}
	s.Deaths++
	if s.Deaths <= brakeAfter {
		return 0
	}
	return brakePause
}
