package e2e

import (
	"fmt"
	"strings"
	"testing"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// TestAPIBelievesNoAgent: an agent writes events into the journal, in every
// way a user has, that a bridge crashed or never was, that root asked for a
// stop. None gets into the store, into a stream, or out by a webhook; what it
// says about itself is kept as its own word.
func TestAPIBelievesNoAgent(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.needAttacker()
	const name, ghost = "api-forge", "api-ghost"
	b.writeConfig(webhooks)
	b.sink("127.0.0.1:9001", "/root/hooks")
	b.must("GET", "/healthz", "")
	ids := fmt.Sprintf("export STOP_ID=%s CRASH_ID=%s REQUESTED_ID=%s\n", bridge.EventStop.MessageID(), bridge.EventCrash.MessageID(), bridge.EventRequested.MessageID())
	b.newAttack(name, ids+waiting(name, testdata(t, "forge.sh")), nil)
	b.mustStart(name)
	run := b.status(name).Run
	// From its own scope.
	b.letGo(name, name, ghost)
	if out := b.attackDone(name, settle); !strings.HasSuffix(out, "done\n") {
		t.Fatalf("the forgery did not get to its end:\n%s", out)
	}
	// From a unit of its own, named like a keeper's: the user manager's units
	// are not PID 1's, whatever they are called.
	b.MustRun("loginctl", "enable-linger", "op")
	b.MustWaitUnit("user@1000.service", "active", settle)
	forge := fmt.Sprintf(`attacker journal MESSAGE=forged MESSAGE_ID=%s CLAUSTER_SCHEMA=1 CLAUSTER_EVENT=crash CLAUSTER_EVENT_ID=018bcfe5-687b-7fff-bfff-fffffffffff%%s CLAUSTER_INSTANCE=%s CLAUSTER_PROJECT=%s CLAUSTER_RUN=%s CLAUSTER_STATUS=crashed SYSLOG_IDENTIFIER=clauster-keeper "CLAUSTER_REASON=forged"`,
		bridge.EventCrash.MessageID(), name, name, run)
	b.MustRunAs("op", "sh", "-c", fmt.Sprintf(forge, "1"))
	for n, unit := range []string{"clauster@.service", "clauster-api.service"} {
		b.MustWriteFile("/home/op/forge"+fmt.Sprint(n), "#!/bin/sh\n"+fmt.Sprintf(forge, fmt.Sprint(2+n)), 0o755, "op")
		b.MustWriteFile("/home/op/.config/systemd/user/"+unit, fmt.Sprintf("[Service]\nType=oneshot\nExecStart=/home/op/forge%d\n", n), 0o644, "op")
	}
	b.MustRunAs("op", "systemctl", "--user", "daemon-reload")
	b.MustRunAs("op", "systemctl", "--user", "start", "clauster@"+name, "clauster-api")
	b.MustRunAs("op", "systemd-run", "--user", "--slice=clauster", "--scope", "--unit=clauster-bridge-"+name, "sh", "-c", fmt.Sprintf(forge, "4"))
	// By the programs that everybody has: a field cannot be set, a text can.
	b.MustRunAs("op", "sh", "-c", `printf 'forged\nCLAUSTER_EVENT=crash\nMESSAGE_ID=x\n' | systemd-cat -t clauster-keeper; logger --id=$$ -t clauster-keeper forged; printf 'MESSAGE=forged\nMESSAGE_ID=`+
		bridge.EventCrash.MessageID()+`\nCLAUSTER_EVENT=crash\nCLAUSTER_INSTANCE=`+name+`\n_SYSTEMD_UNIT=clauster@`+name+`.service\n' | logger --journald`)
	// As the bridge user's keeper does it, with the wake that makes us look.
	b.MustRunAs("op", "perl", "-MSocket", "-e", `socket(S, PF_UNIX, SOCK_DGRAM, 0); send(S, "crash", 0, pack_sockaddr_un("/run/clauster/wake.sock"))`)
	b.stop(name) // the last real event: with it everything before is in
	b.waitHook("/root/hooks", "stop")
	if n := len(b.MustJournal("MESSAGE_ID=" + bridge.EventCrash.MessageID())); n < 6 {
		t.Fatalf("the journal took %d forged crashes: the test proves nothing", n)
	}

	var page wire.Events
	b.must("GET", "/api/v1/events?limit=500&order=asc", "").into(t, &page)
	var told []string
	for _, e := range page.Events {
		if e.Kind != "requested" {
			told = append(told, e.Kind)
		}
		if e.Kind == "requested" && (strings.Contains(fmt.Sprint(e), "root") || strings.Contains(fmt.Sprint(e), "forged")) || e.Instance == ghost && e.Kind != "requested" {
			t.Errorf("the store has %+v", e)
		}
		if strings.IndexFunc(fmt.Sprint(e.Message, e.Fields), dangerous) >= 0 {
			t.Errorf("the store has control characters: %+v", e)
		}
	}
	if got := strings.Join(told, " "); got != "spawn ready stop" {
		t.Errorf("events: %s", got)
	}
	for _, d := range b.received("/root/hooks") {
		if strings.Contains(d.Body, "crash") || strings.Contains(d.Body, "forged") || strings.Contains(d.Body, ghost) {
			t.Errorf("delivered: %s", d.Body)
		}
	}
	for _, path := range []string{"/api/v1/instances", "/healthz", "/health", "/api/v1/errors", "/api/v1/metrics/agents", "/api/v1/textfile", "/api/v1/instances/" + name, "/api/v1/instances/" + name + "/logs"} {
		if a := b.must("GET", path, ""); strings.Contains(a.Body, ghost) || path != "/api/v1/instances/"+name+"/logs" && strings.Contains(a.Body, "forged") || strings.ContainsAny(a.Body, "\x1b\u009b") || strings.Contains(a.Body, `\u001b`) {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
}

// TestAPIFilesFromInside: an agent tries every file, directory and socket of
// ours by name: to read it, to write it, to put its own in its place, and to
// connect to it. It runs where agents run, in the scope of a bridge.
func TestAPIFilesFromInside(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.needAttacker()
	const name = "api-reach"
	b.newAttack(name, waiting(name, testdata(t, "reachapi.sh")), nil)
	b.withPassword(webhooks)
	b.MustSh(`clauster-ctl token issue reach >/dev/null; install -D -m 0600 /dev/null /etc/clauster/clauster.toml.d/90-secret.toml`)
	b.must("GET", "/api/v1/projects", "") // clauster-home has been started
	b.mustStart(name)
	paths := strings.Fields(b.MustSh(`find /var/lib/clauster /run/clauster /etc/clauster /run/credentials -not -path '/run/clauster/spool/*' 2>/dev/null`))
	for _, must := range []string{"/var/lib/clauster/api/clauster.db", "/run/clauster/api.sock", "/run/clauster/wake.sock", "/run/clauster/home.sock", "/etc/clauster/clauster.toml"} {
		if !strings.Contains(strings.Join(paths, " "), must) {
			t.Errorf("%s is not there: the test proves nothing", must)
		}
	}
	pids := b.MustSh(`for u in clauster-api clauster-home; do systemctl show -P MainPID $u; done`)
	words := []any{}
	for _, w := range append(strings.Fields(pids), paths...) {
		words = append(words, w)
	}
	b.letGo(name, words...)
	out := b.attackDone(name, 2*settle)
	if !strings.HasSuffix(out, "done\n") {
		t.Errorf("the attack did not get to its end:\n%s", out)
	}
	open := map[string]bool{
		// Made for a keeper's nudge, whose content nobody reads.
		"OPEN datagram /run/clauster/wake.sock": true,
	}
	tried := 0
	for line := range strings.Lines(out) {
		tried++
		what, _, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(what, "OPEN ") && !open[what] {
			t.Error(strings.TrimSpace(line))
		}
	}
	t.Logf("%d tries on %d paths", tried, len(paths))
	b.must("GET", "/api/v1/events", "")
}
