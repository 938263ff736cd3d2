package e2e

import (
	"strings"
	"syscall"
	"testing"
)

const configPath = "/etc/clauster/clauster.toml"

// A configuration made invalid while a bridge runs: the bridge, its keeper's
// successors and its stop do without it, the next start is refused with the
// line.
func TestConfigSpoiledWhileRunning(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.newProject("spoiled", nil)
	b.mustStart("spoiled")
	was := b.status("spoiled")
	good := b.MustReadFile(configPath)
	b.MustWriteFile(configPath, good+"\n[claude\nlaunch_mode = 7\n", 0o640, "")
	for _, disturb := range []func(){
		func() { b.MustKill(b.keeperPID("spoiled"), syscall.SIGKILL) },
		func() { b.MustRun("systemctl", "reload", "clauster@spoiled") },
	} {
		old := b.keeperPID("spoiled")
		disturb()
		if b.keeperPID("spoiled") != old {
			b.waitReattached("spoiled", old)
		}
		if now := b.status("spoiled"); now.PID != was.PID || now.Status != "running" {
			t.Errorf("was %+v, is %+v", was, now)
		}
	}
	b.stop("spoiled")
	b.waitRuns("spoiled", "spawn ready stop")
	if r := b.start("spoiled"); r.Code == 0 {
		t.Fatal("it was started")
	}
	s := b.status("spoiled")
	if s.Status != "error" || !strings.Contains(s.Reason, configPath) {
		t.Errorf("status: %+v", s)
	}
	if got := b.MustShow("clauster@spoiled.service", "ExecMainStatus"); got != "78" {
		t.Errorf("exit code %s", got)
	}
	// And spoiled between a crash and the restart that follows it.
	b.MustWriteFile(configPath, good, 0o640, "")
	b.MustRun("chown", "root:clauster", configPath)
	b.mustStart("spoiled")
	b.MustWriteFile(configPath, "user = 7\n", 0o640, "")
	b.MustKill(b.status("spoiled").PID, syscall.SIGKILL)
	b.MustWaitUnit("clauster@spoiled.service", "failed", settle)
	if got := b.MustShow("clauster@spoiled.service", "ExecMainStatus"); got != "78" {
		t.Errorf("exit code after the crash %s", got)
	}
	b.waitRuns("spoiled", "spawn ready stop", "error", "spawn ready crash", "error")
}

// Full disks under /run and /var/lib: what runs goes on, also under a new
// keeper; what starts says why it cannot, and comes up once there is room.
func TestFullDisks(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	// A small file system of its own for the records.
	b.MustSh(`mount -t tmpfs -o size=64k,mode=0750 tmpfs /var/lib/clauster && systemd-tmpfiles --create clauster.conf`)
	const fill = `head -c 1G /dev/zero >"$1/filler" 2>/dev/null; test -s "$1/filler"`
	for dir, limit := range map[string]string{"/var/lib/clauster": "", "/run": "/run"} {
		t.Run(strings.Trim(strings.ReplaceAll(dir, "/", "-"), "-"), func(t *testing.T) {
			b := &bed{b.With(t), t}
			name := "full" + strings.ReplaceAll(dir, "/", "-")
			c := b.constantBridge(name)
			b.newProject(name+"-2", nil)
			if limit != "" { // the machine's /run is large
				b.MustSh(`mount -o remount,size=$(( $(du -sk --one-file-system "$1" 2>/dev/null | cut -f1) + 256 ))k "$1"`, limit)
			}
			b.MustSh(fill, dir)
			old := b.keeperPID(name)
			b.MustKill(old, syscall.SIGKILL)
			b.waitReattached(name, old)
			c.check("a full " + dir)

			unit := "clauster@" + name + "-2.service"
			b.MustRun("systemctl", "start", "--no-block", unit)
			b.MustWaitFor("the reason", settle, func() bool {
				text := b.MustShow(unit, "StatusText")
				return strings.Contains(text, "no space left on device") || strings.Contains(text, "the file system of "+dir+" is full")
			})
			b.MustSh(`rm "$1/filler"`, dir)
			b.MustWaitUnit(unit, "active", settle)
			b.stop(name + "-2")
			c.end(1)
			b.nothingLeft(name)
		})
	}
}
