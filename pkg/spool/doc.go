// Package spool follows the debug file of a bridge: a file that claude appends
// to, in a directory that belongs to the bridge user, read line by line and
// freed behind the reader. It is a spool, not a log: what was handed on is
// punched out of the file, so that a bridge that runs for months holds a few
// pages and no more.
//
// The writer is an agent and counts as hostile. It may rename, replace,
// truncate, delete or extend the file, put a symlink, a FIFO, a directory or a
// mount in its place, and write without end or newline. Nothing of that may
// block, crash, starve or spin the keeper, make it read or change anything but
// a regular file of the same owner in that directory, or cost it more than the
// bounds in this package: one buffer of 256 KiB, a quarter of a core.
//
// Data flows one way: inotify (whose content is never looked at) or a tick
// wakes the Follower; it looks whether the name still means the same file,
// reads what was appended, hands each line to Handle, tells Consumed how far
// it got, and punches the hole. While nothing is written there is no timer and
// no system call.
package spool
