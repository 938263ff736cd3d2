// Package machine gives tests a real systemd: throwaway Debian machines with
// their own PID 1, journal, logind and polkit, booted from one cached root.
//
// There are two back ends behind one type. [Start] boots a container in
// systemd-nspawn in well under a second; everything is real there except the
// memory, pids and io controllers, which a host with a hybrid cgroup tree
// cannot hand on. [StartVM] boots the same root in QEMU (TCG, no KVM needed) in
// 10 to 30 seconds, for what needs the memory controller, a reboot of a kernel
// or a power cut.
//
// A test that wants a machine of its own:
//
//	func TestUpgrade(t *testing.T) {
//		m := machine.Start(t, machine.Options{Users: []machine.User{machine.Op()}})
//		m.MustInstall("build/packages/clauster_1.0.0_amd64.deb")
//		m.MustRun("systemctl", "start", "clauster@hello")
//		m.MustWaitUnit("clauster@hello.service", "active", 10*time.Second)
//	}
//
// Tests that can share one boot do so through TestMain; each takes its own
// view with With, which ties failures, the dump of journal and unit states and
// the default context to that test, and uses its own project and instance
// names:
//
//	var shared *machine.Machine
//
//	func TestMain(m *testing.M) {
//		os.Exit(machine.Main(m, machine.Options{Users: []machine.User{machine.Op()}},
//			func(b *machine.Machine) error {
//				shared = b
//				return b.Install("build/packages/clauster_1.0.0_amd64.deb")
//			}))
//	}
//
//	func TestStatus(t *testing.T) {
//		m := shared.With(t)
//		m.MustRun("clauster-ctl", "status", "status-1")
//	}
//
// # What a command sees
//
// Run executes as root, RunAs as a user with the environment a login would
// have (HOME, XDG_RUNTIME_DIR, DBUS_SESSION_BUS_ADDRESS). Both run inside the
// machine's unit machine-exec.service, so /proc/self/cgroup reads
// 0::/system.slice/machine-exec.service and journald's trusted _SYSTEMD_UNIT
// says the same; without that an entered process would lie outside the
// machine's cgroup tree ("0::/..") and belong to no unit. A command with
// Session set gets a true logind session through PAM instead.
//
// # What is left behind
//
// Nothing, also after SIGKILL of the test binary: the machine's processes live
// in a PID namespace whose init dies with the thread that started it, its
// layer is a tmpfs mounted in a private mount namespace, a VM's disk is an
// unlinked file. What remains is an empty cgroup and a directory with the
// console log under build/machine/run, and the next start sweeps those: a lock
// file tells live from dead.
//
// The package needs root and the Debian packages of deps.sh. It is safe for
// concurrent use, across processes too.
package machine
