// Command attacker is what a hostile agent would write: it runs inside a bridge,
// as the bridge user, and goes for the keepers and gates of the machine. The
// tests of package e2e start it through the stand-in's key attack.
//
//	attacker prowl STOPFILE        trace and read every keeper process it sees, until STOPFILE exists
//	attacker storm UNIT N SIGNAL…  send signals in turn, N in all, to the unit's main process
//	attacker hoard STOPFILE        take every inotify instance of the uid until STOPFILE exists
//	attacker journal FIELD=VALUE…  write an entry by the journal's native protocol
//	attacker connect PATH          connect to a unix socket
//	attacker impostor PATH         listen in a keeper's place and take whoever comes
//
// It prints one line for each success that must not be, «HIT …», and a summary.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: attacker prowl|storm|hoard|journal|connect …")
	}
	switch args[0] {
	case "prowl":
		return prowl(args[1])
	case "storm":
		return storm(args[1], args[2], args[3:])
	case "hoard":
		return hoard(args[1])
	case "journal":
		return journal(args[1:])
	case "impostor":
		return impostor(args[1])
	case "connect":
		c, err := net.Dial("unix", args[1])
		if err != nil {
			return err
		}
		return c.Close()
	}
	return fmt.Errorf("cannot do %q", args[0])
}

// impostor takes the name of a keeper's socket. It tells how many bytes each
// client has sent before it left.
func impostor(path string) error {
	if err := os.Rename(path, path+".real"); err != nil {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, _ := c.Read(make([]byte, 4096)) // 0 for a client that left
		fmt.Println("client sent", n)
		_ = c.Close()
	}
}

// exists reports whether the test has put its stop file there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// storm sends n signals to the keeper of unit, whichever that is at the time:
// found through its cgroup, since there is no bus to ask.
func storm(unit, count string, names []string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	sent := 0
	patience := 2*time.Minute + time.Duration(n)*100*time.Millisecond // a deadly one costs a restart
	for deadline := time.Now().Add(patience); sent < n && time.Now().Before(deadline); {
		for _, pid := range keepers() {
			group, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
			if err != nil || !strings.Contains(string(group), "/"+unit+"\n") {
				continue
			}
			if err := unix.Kill(pid, unix.SignalNum(names[sent%len(names)])); err == nil {
				sent++
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("sent", sent)
	return nil
}

// hoard opens inotify instances until the kernel refuses one more.
func hoard(stop string) error {
	n := 0
	for {
		if _, err := unix.InotifyInit1(0); err != nil {
			break
		}
		n++
	}
	fmt.Println("hoarded", n)
	if err := os.WriteFile(stop+".full", nil, 0o644); err != nil {
		return err
	}
	for !exists(stop) {
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// journal speaks systemd's native protocol; the simple form has one
// NAME=value a line, so values hold no newline here.
func journal(fields []string) error {
	c, err := net.Dial("unixgram", "/run/systemd/journal/socket")
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(strings.Join(fields, "\n") + "\n"))
	return err
}
