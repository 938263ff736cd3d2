// Package terminal holds what a keeper needs of a pseudo-terminal: the ring
// that remembers the end of its output, a parser of escape sequences that
// never grows, and Strip, which makes text that cannot move an operator's
// cursor. It is not an emulator: nothing here knows what a screen looks like.
package terminal
