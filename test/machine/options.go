package machine

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Options say what a machine is. The zero value is a bare Debian with root.
type Options struct {
	// Name is the machine's name and host name; one is made up when empty.
	// Two live machines of one build directory cannot share a name.
	Name string
	// Users are made once the machine is up.
	Users []User
	// BootTimeout bounds the boot, without the build of the cached root;
	// one minute for a container and five for a VM when zero.
	BootTimeout time.Duration
	// MemoryMiB is a VM's memory, 768 when zero. Containers ignore it.
	MemoryMiB int
	// CPUs is a VM's number of processors, 2 when zero. Containers ignore it.
	CPUs int
	// Network lets a container use the host's network; otherwise it has only a
	// loopback interface. VMs never have one.
	Network bool
	// Verbose sends the progress of building the root to stderr.
	Verbose bool
}

// User is an account of the machine with a home directory /home/NAME, bash and
// no password.
type User struct {
	Name   string
	UID    int      // 0 lets the machine choose
	Groups []string // beside the user's own
	Linger bool     // keep a user manager running (user@UID.service)
}

// Op is the bridge user most tests want: op, uid 1000, lingering.
func Op() User { return User{Name: "op", UID: 1000, Linger: true} }

// Admin is a user in group sudo, who may become root without a password.
func Admin() User { return User{Name: "admin", UID: 1001, Groups: []string{"sudo"}} }

// nameForm keeps names legal as host name, cgroup directory and path element.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

func (o *Options) settle(vm bool) error {
	if o.Name == "" {
		o.Name = freshName()
	}
	if !nameForm.MatchString(o.Name) {
		return fmt.Errorf("cannot use machine name %q: it must be up to 40 lower-case letters, digits and hyphens", o.Name)
	}
	if o.BootTimeout == 0 {
		o.BootTimeout = 60 * time.Second
		if vm {
			o.BootTimeout = 5 * time.Minute // 10 s on an idle host
		}
	}
	if o.MemoryMiB == 0 {
		o.MemoryMiB = 768
	}
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	for _, u := range o.Users {
		if u.Name == "" || u.Name == "root" {
			return errors.New("cannot make user: it needs a name other than root")
		}
	}
	return nil
}
