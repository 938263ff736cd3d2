// Command hoarder takes every inotify instance that its user may have but for a
// few, and holds them until it is killed: what claude and an editor or two do
// to a host with the kernel's default of 128.
//
//	hoarder LEAVE
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: hoarder LEAVE")
		os.Exit(64)
	}
	leave, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: cannot leave", os.Args[1])
		os.Exit(64)
	}
	var held []int
	for {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			break
		}
		held = append(held, fd)
	}
	for _, fd := range held[:min(leave, len(held))] {
		_ = unix.Close(fd)
	}
	fmt.Printf("held %d\n", len(held)-min(leave, len(held)))
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	<-end
}
