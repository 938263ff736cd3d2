package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// A shutdown asks every bridge gracefully; the boot after it brings back what
// is enabled, with its conversation, and nothing else.
func vmReboot(b *bed) {
	b.newProject("vm-std", nil)
	b.newProject("vm-pty", map[string]string{"record": "~/vm-pty.json"})
	b.newProject("vm-off", nil)
	b.newUserProject("vm-usr", nil)
	b.MustRunAs("op", "sh", "-c", `cd ~/projects/vm-pty && git init -q . &&
		git -c user.name=op -c user.email=op@localhost commit -q --allow-empty -m first`)
	b.mustStart("vm-std")
	b.mustStart("vm-off")
	b.MustRun("clauster-ctl", "start", "vm-pty", "--mode", "pty", "--spawn-mode", "worktree", "--permission-mode", "plan", "--name", "My tree")
	b.MustRun("systemctl", "enable", "clauster@vm-std", "clauster@vm-pty")
	b.MustRunAs("op", "systemctl", "--user", "enable", "--now", "clauster@vm-usr")
	b.t.Cleanup(func() {
		b.MustRun("systemctl", "disable", "--now", "clauster@vm-std", "clauster@vm-pty")
		b.MustRunAs("op", "systemctl", "--user", "disable", "clauster@vm-usr")
	})
	b.converse("vm-pty")
	before := b.status("vm-std").Run

	b.reboot()

	for _, instance := range []string{"vm-std", "vm-pty"} {
		b.MustWaitUnit("clauster@"+instance+".service", "active", vmSettle)
		if s := b.status(instance); s.Status != "running" || s.Health != "ok" || s.Run == before {
			b.t.Errorf("an enabled bridge after the reboot: %+v", s)
		}
		b.waitRuns(instance, "spawn ready stop", "spawn ready") // no fallback: what was resumed was there
	}
	b.stoppedGracefully("CLAUSTER_INSTANCE=vm-std")
	b.stoppedGracefully("CLAUSTER_INSTANCE=vm-pty")
	b.stoppedGracefully("CLAUSTER_INSTANCE=vm-off")
	b.stoppedGracefully("_SYSTEMD_USER_UNIT=clauster@vm-usr.service")
	b.MustWaitFor("the bridge of op's manager", vmSettle, func() bool { return b.userStatus("vm-usr").Status == "running" })
	b.waitRuns("vm-off", "spawn ready stop")
	if s := b.status("vm-off"); s.Status != "stopped" || !strings.HasPrefix(s.Reason, "stopped on request") || s.Since == "" {
		b.t.Errorf("a bridge that is not enabled, told from the boot before: %+v", s)
	}
	b.sameSession("vm-std")
	b.sameTree("vm-pty")
}

// converse leaves the transcript that a conversation of the instance's worktree
// would have left, or claude would have nothing to continue.
func (b *bed) converse(instance string) {
	b.t.Helper()
	dir := "/home/op/projects/" + instance + "/.claude/worktrees/" + b.worktree(instance)
	slug := regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(dir, "-")
	b.MustWriteFile("/home/op/.claude/projects/"+slug+"/0b9c3a52-6d2e-4d0c-9f3e-5a1d7c1f2e34.jsonl", "{}\n", 0o600, "op")
}

func (b *bed) worktree(instance string) string {
	b.t.Helper()
	var record struct{ Worktree string }
	if err := json.Unmarshal([]byte(b.MustReadFile("/var/lib/clauster/instances/"+instance+".json")), &record); err != nil || record.Worktree == "" {
		b.t.Fatalf("no worktree in the record of %s (%v)", instance, err)
	}
	return record.Worktree
}

// stoppedGracefully finds in the journal of the boot before that claude was
// asked, took its time and went by itself.
func (b *bed) stoppedGracefully(match string) {
	b.t.Helper()
	asked, end := false, ""
	for _, e := range b.MustJournal("--boot=-1", match) {
		asked = asked || strings.Contains(e.Get("MESSAGE"), "SIGINT received")
		if e.Get("CLAUSTER_EVENT") == "stop" {
			end = e.Get("CLAUSTER_VERDICT") + " " + e.Get("CLAUSTER_EXIT_CODE")
		}
	}
	// The flag form tells nothing of a SIGINT; its exit status does.
	if want := "asked 0"; end != want || !asked && match != "CLAUSTER_INSTANCE=vm-pty" {
		b.t.Errorf("%s: asked %v, end %q, want %q", match, asked, end, want)
	}
}

// sameSession checks that both runs served the same session.
func (b *bed) sameSession(instance string) {
	b.t.Helper()
	refs := map[string]string{}
	for _, e := range b.events(instance) {
		if ref := e.Get("CLAUSTER_SESSION_REF"); ref != "" {
			refs[e.Get("CLAUSTER_RUN")] = ref
		}
	}
	// The second run's reference may come after its ready event.
	now := b.status(instance)
	if now.Run == "" || len(refs) == 0 {
		b.t.Fatalf("references of %s: %v", instance, refs)
	}
	var current struct {
		SessionRef string `json:"session_ref"`
	}
	b.MustWaitFor("the session of "+instance, vmSettle, func() bool {
		_ = json.Unmarshal([]byte(b.MustRun("clauster-ctl", "status", instance, "--json")), &current)
		return current.SessionRef != ""
	})
	delete(refs, now.Run)
	for run, ref := range refs {
		if ref != current.SessionRef {
			b.t.Errorf("%s serves session %s, run %s served %s", instance, current.SessionRef, run, ref)
		}
	}
}

// sameTree checks that the flag form continues, in the same worktree and with
// the recorded choices.
func (b *bed) sameTree(instance string) {
	b.t.Helper()
	var runs [][]string
	for line := range strings.Lines(b.MustReadFile("/home/op/" + instance + ".json")) {
		var e struct {
			Event string
			Argv  []string
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Event == "start" {
			runs = append(runs, e.Argv)
		}
	}
	if len(runs) != 2 {
		b.t.Fatalf("runs of claude: %v", runs)
	}
	for _, argv := range runs {
		for _, want := range []string{"--worktree", b.worktree(instance), "--permission-mode", "plan", "My tree"} {
			if !slices.Contains(argv, want) {
				b.t.Errorf("argv %v lacks %s", argv, want)
			}
		}
	}
	if slices.Contains(runs[0], "--continue") || !slices.Contains(runs[1], "--continue") {
		b.t.Errorf("--continue in the wrong run: %v", runs)
	}
}
