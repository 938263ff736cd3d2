// Package keeper is one bridge's life. `clauster-keeper run INSTANCE` is the
// main process of clauster@INSTANCE.service: as root it checks the ceilings,
// makes the PTY, the control socket and the bridge's scope and opens the gate
// (package gate); then it drops to the bridge user for good, pumps the
// terminal into a ring, follows the debug file into the journal, judges
// readiness and health by evidence, answers on the control socket, stops the
// bridge when systemd asks, and says why it ended.
//
// It may be killed at any instruction. What must outlive it is in systemd's fd
// store: the PTY, a pidfd of the reaper, the ring, the listener, the reaper's
// story and the state memory. A successor finds them and goes on; nothing is
// said twice but an event that may not have been written, which is repeated
// under the same id.
//
// One goroutine, the loop (loop.go), owns the state. The others (pump, spool
// follower, story watcher, control server) only feed it.
package keeper
