package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// StartVM boots a VM for one test and ends it with the test. A VM has a kernel,
// a disk and every cgroup controller of its own. It boots in 10 to 25 s without
// KVM, plus half a minute once for the cached image.
func StartVM(t testing.TB, o Options) *Machine {
	t.Helper()
	return started(t, o, BootVM)
}

// BootVM boots a VM and returns when systemd has settled. The caller stops it;
// it also dies with the process. ctx bounds the boot only.
//
// CLAUSTER_VM_ACCEL=kvm uses KVM. It is not the default even where /dev/kvm is
// there: a nested one was met that took the VM and stopped it with «KVM
// internal error» in its first second.
func BootVM(ctx context.Context, o Options) (*Machine, error) {
	if err := o.settle(true); err != nil {
		return nil, err
	}
	return boot(ctx, o, func(ctx context.Context, d dirs) (backend, error) {
		image, err := d.buildImage(ctx, o.Verbose)
		if err != nil {
			return nil, err
		}
		disk, err := privateDisk(filepath.Join(image, "disk.img"), d.run(o.Name))
		if err != nil {
			return nil, err
		}
		v := &vm{o: o, image: image, disk: disk, consoleFile: d.consoleFile(o.Name)}
		ctx, cancel := context.WithTimeout(ctx, o.BootTimeout)
		defer cancel()
		if err := v.powerOn(ctx); err != nil {
			return nil, errors.Join(err, v.stop())
		}
		return v, nil
	})
}

// PowerCut takes the power from a VM, as far as the guest can tell, and boots
// it again from the same disk: what the guest had not written is lost. It
// returns when systemd has settled.
func (m *Machine) PowerCut(ctx context.Context) error {
	v, ok := m.back.(*vm)
	if !ok {
		return errors.New("cannot cut the power of a container: it shares the host's kernel")
	}
	v.powerOff()
	if err := v.powerOn(ctx); err != nil {
		return fmt.Errorf("cannot boot machine %s after the power cut: %w", m.name, err)
	}
	return m.waitBooted(ctx)
}

// vm is the QEMU back end.
type vm struct {
	o           Options
	image       string
	disk        *os.File // unlinked: it goes with its last holder
	consoleFile string

	mu   sync.Mutex
	qemu *qemu // nil while the power is off
}

// qemu is one power-on of a VM.
type qemu struct {
	process *os.Process
	exited  chan struct{}
	line    *line
}

// privateDisk makes a copy of a disk image that has no name: it vanishes with
// the processes that hold it. Holes stay holes.
func privateDisk(image, dir string) (*os.File, error) {
	from, err := os.Open(image)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot make disk: %w", err)
	}
	if err := copySparse(to, from); err != nil {
		to.Close()
		return nil, fmt.Errorf("cannot copy disk: %w", err)
	}
	return to, nil
}

func copySparse(to, from *os.File) error {
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := to.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		data, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		} else if err != nil {
			return err
		}
		end, err := from.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := from.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := to.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, end-data); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// kernelArgs: console=ttyS0 goes to the console log; panic=-1 makes a panic a
// reset, which ends QEMU, instead of a hang. khugepaged was met holding an emulated CPU for 75 s
// on a busy host, and mitigations are only slow where no CPU speculates.
const kernelArgs = "root=/dev/vda rw rootwait console=ttyS0 quiet loglevel=4 systemd.show_status=no " +
	"panic=-1 net.ifnames=0 random.trust_cpu=on transparent_hugepage=never mitigations=off"

// args is QEMU's command line; descriptors 3 and 4 are the agent's socket and
// the disk.
func (v *vm) args() []string {
	args := []string{"-name", v.o.Name, "-machine", "q35"}
	if os.Getenv("CLAUSTER_VM_ACCEL") == "kvm" {
		args = append(args, "-accel", "kvm")
	}
	return append(args, "-accel", "tcg,thread=multi", "-cpu", "max,la57=off,svm=off,aes=off",
		"-smp", strconv.Itoa(v.o.CPUs), "-m", strconv.Itoa(v.o.MemoryMiB),
		"-no-reboot", "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none",
		"-kernel", filepath.Join(v.image, "vmlinuz"), "-initrd", filepath.Join(v.image, "initrd"),
		"-append", kernelArgs+" systemd.hostname="+v.o.Name, "-serial", "file:"+v.consoleFile,
		// unsafe: flushes are for a host that may die, which takes the test along.
		"-drive", "file=/proc/self/fd/4,format=raw,if=virtio,cache=unsafe,file.locking=off",
		"-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
		"-chardev", "socket,id=agent,fd=3",
		"-device", "virtserialport,chardev=agent,name="+portName)
}

// powerOn starts QEMU and waits for the agent's first word.
func (v *vm) powerOn(ctx context.Context) error {
	conn, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	var log tail
	cmd := exec.Command("qemu-system-x86_64", v.args()...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.ExtraFiles = []*os.File{theirs, v.disk}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	q := &qemu{exited: make(chan struct{}), line: newLine(conn)}
	started := make(chan error, 1)
	go func() {
		lockThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended is in log or does not matter
			close(q.exited)
		}
	}()
	if err := <-started; err != nil {
		q.line.close()
		return fmt.Errorf("cannot start qemu: %w: run test/machine/deps.sh", err)
	}
	q.process = cmd.Process
	v.mu.Lock()
	v.qemu = q
	v.mu.Unlock()
	if err := q.line.awaitBoot(ctx, q.exited); err != nil {
		v.powerOff()
		return fmt.Errorf("cannot boot the VM: %w\n%s%s", err, log.String(), v.console())
	}
	return nil
}

func (v *vm) powerOff() {
	v.mu.Lock()
	q := v.qemu
	v.qemu = nil
	v.mu.Unlock()
	if q == nil {
		return
	}
	_ = q.process.Kill() // already gone is fine
	<-q.exited
	q.line.close()
}

func (v *vm) current() (*qemu, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.qemu == nil {
		return nil, errors.New("the machine is off")
	}
	return v.qemu, nil
}

func (v *vm) start(ctx context.Context, c command) (proc, error) {
	if c.Terminal {
		return nil, errors.New("a VM has no terminal for commands")
	}
	q, err := v.current()
	if err != nil {
		return nil, err
	}
	return q.line.start(ctx, c)
}

// reboot lets the guest go down in order and powers it on again: with -no-reboot
// QEMU ends at the guest's reset. A guest that reset itself was met spinning on
// one CPU five minutes later; of hundreds of power-ons every one has booted.
func (v *vm) reboot(ctx context.Context, ask func() error) error {
	q, err := v.current()
	if err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	select {
	case <-q.exited:
	case <-ctx.Done():
		return fmt.Errorf("the guest does not go down: %w\n%s", ctx.Err(), v.console())
	}
	v.powerOff() // closes what is left of it
	return v.powerOn(ctx)
}

func (v *vm) console() string {
	return strings.ReplaceAll(readTail(v.consoleFile), "\r", "")
}

func (v *vm) stop() error {
	v.powerOff()
	if err := v.disk.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// socketPair makes the two ends of the agent's line: ours, and QEMU's.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "agent")
	defer ours.Close() // FileConn makes its own
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// lineGrace is how long a VM may take to answer a signal or a write.
const lineGrace = 10 * time.Second
