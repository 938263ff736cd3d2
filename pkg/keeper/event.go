package keeper

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/journal"
	"clauster/pkg/redact"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
)

type fields = journal.Fields

const (
	journalErr  = journal.Err
	journalInfo = journal.Info
)

// flushWait bounds how long the keeper waits for journald to take an event.
// Without journald the event stays queued and the keeper goes on.
const flushWait = time.Second

// say writes one plain line of our own, if log_level lets it pass.
func (k *keeper) say(p journal.Priority, text string) {
	r := k.st.Run
	if r != nil && r.Settings.LogLevel != 0 && p > r.Settings.LogLevel {
		return
	}
	f := fields{}
	if r != nil {
		f[bridge.FieldRun] = r.ID
	}
	k.journal.Line(p, presentable(text), f)
}

// logPriority is the journal priority of a log_level.
func logPriority(level string) journal.Priority {
	switch level {
	case "debug":
		return journal.Debug
	case "warning":
		return journal.Warning
	case "error":
		return journal.Err
	}
	return journal.Info
}

// warn writes a warning event: something an operator should know, once.
func (k *keeper) warn(text string) {
	k.event(bridge.EventWarning, text, nil)
}

// event writes one event with the fields every event has.
func (k *keeper) event(e bridge.Event, message string, more fields) {
	k.write(e, "", message, more)
}

// once writes an event that a run has at most once. Its id is remembered
// before and its success after, so a keeper that dies in between leaves its
// successor to repeat it under the same id.
func (k *keeper) once(e bridge.Event, message string, more fields) {
	r := k.st.Run
	if r.Events == nil {
		r.Events = map[bridge.Event]sent{}
	}
	s := r.Events[e]
	if s.Done {
		return
	}
	if s.ID == "" {
		s.ID = journal.NewID(time.Now())
		r.Events[e] = s
		k.mustSave()
	}
	failpoint("before-" + string(e))
	k.write(e, s.ID, message, more)
	ctx, cancel := context.WithTimeout(context.Background(), flushWait)
	defer cancel()
	if k.journal.Flush(ctx) == nil {
		s.Done = true
		r.Events[e] = s
		k.mustSave()
	}
	failpoint("after-" + string(e))
}

func (k *keeper) write(e bridge.Event, id, message string, more fields) {
	f := fields{bridge.FieldRun: k.run}
	if r := k.st.Run; r != nil {
		f[bridge.FieldRun] = r.ID
		f[bridge.FieldLabel] = redact.String(r.Record.Label)
		f[bridge.FieldMode] = string(r.Record.Mode)
		f[bridge.FieldSpawnMode] = string(r.Record.SpawnMode)
		f[bridge.FieldPermissionMode] = string(r.Record.PermissionMode)
		f[bridge.FieldStatus] = string(k.status())
		if ref := k.sessionRef(); ref != "" {
			f[bridge.FieldSessionRef] = ref
		}
	}
	for name, value := range more {
		if value != "" {
			f[name] = presentable(value)
		}
	}
	if f[bridge.FieldReason] == "" && explains(e) {
		f[bridge.FieldReason] = presentable(message)
	}
	k.journal.Event(journal.Event{Name: e, ID: id, Message: presentable(message), Fields: f, Must: id != ""})
	k.wakeAPI()
}

// wakeAPI sends an empty datagram to clauster-wake.socket, so that an API that
// is not running delivers the event at once. Without that socket, or with a
// full one, nothing is lost: the API follows the journal.
func (k *keeper) wakeAPI() {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = unix.Sendto(fd, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: k.dirs.wake})
}

// presentable takes ids, secrets and everything a terminal would obey out of a
// text. Ours may quote what claude said or what an agent has named, and people
// look at it with programs that print it as it is.
func presentable(text string) string { return redact.String(terminal.StripString(text)) }

// explains reports whether the catalog's entry of an event shows its reason:
// journalctl -x prints the bare name of a field that is not there.
func explains(e bridge.Event) bool {
	switch e {
	case bridge.EventSpawn, bridge.EventReady, bridge.EventReattached:
		return false
	}
	return true
}

// sessionRef is what stands for the session's id outside the keeper, "" while
// there is none.
func (k *keeper) sessionRef() string {
	r := k.st.Run
	if r.Log.SessionID == "" || len(r.RefKey) == 0 {
		return ""
	}
	return redact.Ref(r.RefKey, claude.Suffix(r.Log.SessionID))
}

// status is the status word of the run as the keeper knows it.
func (k *keeper) status() bridge.Status {
	if k.st.Run != nil && !k.st.Run.Ready.IsZero() {
		return bridge.Running
	}
	return bridge.Starting
}

// mustSave keeps the state; a failure is said, because what follows is a
// keeper whose successor would be wrong.
func (k *keeper) mustSave() {
	if err := k.save(); err != nil {
		k.say(journalErr, err.Error())
	}
}

// tell sets the unit's status text.
func (k *keeper) tell(word, sentence string, more ...string) {
	text := bridge.StatusLine(word, presentable(strings.TrimSpace(sentence)))
	if err := k.notify.Send(append([]string{"STATUS=" + text}, more...)...); err != nil {
		k.say(journalErr, err.Error())
	}
}

// refuse ends a start before a bridge existed: one error event, the reason in
// the unit's status, the exit code of the cause's class.
func (k *keeper) refuse(c bridge.Cause) int {
	c = claude.Fill(c, k.inst, k.userForHints())
	v := bridge.Decide(bridge.End{Instance: k.inst, Cause: c})
	v.Reason = c.Reason
	if k.st.Run == nil {
		k.st.Run = &run{ID: k.run} // for the event's fields only
		defer func() { k.st.Run = nil }()
	}
	k.st.Run.Cause = c // for a successor that has to repeat this
	if c.Class == bridge.ClassTemporary {
		k.st.count(time.Time{}, time.Now(), v)
	}
	k.finish(v, fields{bridge.FieldVerdict: c.Name, bridge.FieldCause: c.Name})
	return v.ExitCode
}

// finish writes the one event that ends a run, says it in the unit's status,
// and empties the store of everything that belongs to the run.
func (k *keeper) finish(v bridge.Verdict, more fields) {
	v.Hint = k.commands(v.Hint)
	f := fields{bridge.FieldStatus: string(v.Status), bridge.FieldReason: v.Reason, bridge.FieldHint: v.Hint, bridge.FieldVerdict: v.Word}
	for name, value := range more {
		f[name] = value
	}
	sentence := bridge.WithHint(v.Reason, v.Hint)
	k.once(v.Event, string(v.Status)+": "+sentence, f)
	k.tell(string(v.Status), sentence)
	k.st.Run = nil
	if !v.Restarts() {
		k.st.Over = &over{v.ExitCode, v.Status, sentence}
	}
	k.mustSave()
	failpoint("before-unstore")
	k.dropStored()
	failpoint("unstored")
}

// forget drops the state memory as the last act before an end for good, and the
// inotify instance: systemd would wait for the kernel to give it back.
func (k *keeper) forget() {
	_ = k.notify.Unstore(fdState)
	_ = k.notify.Unstore(fdWatch)
	_ = k.notify.Barrier(barrierWait)
}

// commands makes the commands in a text those of this keeper's manager.
func (k *keeper) commands(text string) string {
	if k.manager == systemd.User {
		return bridge.ForUser(text)
	}
	return text
}

// stopBeforeLaunch answers a stop that came before the gate was open.
func (k *keeper) stopBeforeLaunch() int {
	if k.st.Run == nil {
		k.st.Run = &run{ID: k.run}
	}
	k.st.Run.Asked = true
	k.finish(bridge.Verdict{Event: bridge.EventStop, Status: bridge.Stopped, ExitCode: bridge.ExitStopped, Word: "asked",
		Reason: "stopped on request before it was launched"}, nil)
	return bridge.ExitStopped
}
