// Package gate is the process between a keeper and claude. The keeper forks
// its own executable as the gate (subcommand "gate"), as the bridge user, in
// a new session with the PTY as its terminal, and moves it into the bridge's
// scope while it blocks on a pipe. Then the order comes through the pipe: the
// gate looks at everything that must be looked at with the bridge user's eyes
// (the project directory, the claude binary, trust, settings), spawns claude,
// and stays as its reaper. It alone can wait4 claude, so exit status and OOM
// evidence survive any number of keeper deaths. If the pipe closes without an
// order the keeper died before the launch was complete, and the gate just
// ends.
//
// What it learns goes as JSON lines into a socket whose other end is in
// systemd's fd store. The keeper peeks and never consumes, so a successor reads
// the same story from its beginning.
package gate
