// Command fakeclaude is the stand-in for the `claude` CLI in the tests of this
// repository: the argument surface, order of checks, files, markers, redrawn
// panes, timings, signals and failures of Claude Code 2.1.330 as far as they
// are known, without a login and without a network.
//
// Every text it prints is a literal taken from the reference notes
// (claude-cli.md, the section named beside it) or from a public capture, and
// it imports nothing of pkg/: it must not be able to prove the supervisor
// right with the supervisor's own words. A test forbids the import.
//
// How a run behaves is chosen by settings; README.md lists every key.
package main
