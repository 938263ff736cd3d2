// Package e2e holds the tests of the whole product on a real machine: our .deb
// installed by apt, systemd as PID 1, the stand-in claude as the bridge user's.
// Every promise about the life of a bridge is a test here.
//
// All tests share one machine (TestMain). Each makes its own project with
// newProject, named after the test, and leaves no unit of it behind. What needs
// a machine of its own, a VM's memory controller or a power cut boots one with
// newMachine. The .deb comes from CLAUSTER_DEB or the newest of
// build/packages/clauster_*.deb: run make packages first.
package e2e
