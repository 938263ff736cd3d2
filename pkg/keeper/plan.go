package keeper

import (
	"cmp"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
)

// startKind tells who asked for a start.
type startKind int

const (
	manual    startKind = iota // a person or a program: fresh unless asked to resume
	automatic                  // systemd, after a crash
	boot                       // systemd, while the host comes up
)

// wish is everything a plan is made from.
type wish struct {
	Instance bridge.Instance
	Kind     startKind
	Run      string
	Host     string
	BootID   string
	Now      time.Time
	Defaults config.InstanceDefaults
	Launch   bridge.Mode // claude.launch_mode
	Config   string      // path of the configuration file
	User     bool        // of a user manager
	Ceiling  bool        // allow_bypass_permissions of the project
	Fresh    bool        // resuming failed just now
	Record   *bridge.Record
	Request  *bridge.Request

	Unreadable error // why there is no Record although there is a file
}

// plan settles what is launched: every option, the record that remembers it,
// and whether the recorded conversation goes on. It is pure. A refusal is a
// Cause.
func plan(w wish) (bridge.Record, *bridge.Cause) {
	resume := w.Record != nil && (w.Kind != manual || w.Request != nil && w.Request.Resume)
	if w.Request != nil && w.Request.Resume && w.Record == nil {
		reason := "there is no recorded launch of " + w.Instance.String() + " to resume"
		if w.Unreadable != nil {
			reason = w.Unreadable.Error() + ", so nothing can be resumed"
		}
		return bridge.Record{}, &bridge.Cause{Name: "nothing-to-resume", Class: bridge.ClassPermanent,
			Reason: reason, Hint: "clauster-ctl start " + w.Instance.String()}
	}
	if w.asksSessionInPTY(resume) {
		i := w.Instance.String()
		return bridge.Record{}, &bridge.Cause{Name: "bad-options", Class: bridge.ClassConfig, Reason: bridge.ErrSessionInPTY.Error(),
			Hint: "clauster-ctl start " + i + " --mode standard --spawn-mode session, or: clauster-ctl start " + i + " --mode pty --spawn-mode same-dir"}
	}
	o := w.options(resume)
	if err := o.Validate(); err != nil {
		return bridge.Record{}, &bridge.Cause{Name: "bad-options", Class: bridge.ClassConfig, Reason: err.Error()}
	}
	if o.PermissionMode == bridge.PermBypass && !w.Ceiling {
		c := bypassRefused(w)
		return bridge.Record{}, &c
	}
	r := bridge.Record{
		Schema: bridge.RecordSchema, Kind: bridge.KindBridge, Host: w.Host, Instance: w.Instance.String(),
		Options: o, Label: cmp.Or(o.Name, w.Instance.DisplayName()),
		Run: w.Run, BootID: w.BootID, Created: w.Now, Launched: w.Now,
	}
	if w.Record != nil {
		r.Created = w.Record.Created
	}
	if w.Request != nil && w.Request.Fork != "" {
		r.Resumed = w.Request.Fork
	}
	r.Continue = resume && !w.Fresh && r.Resumed == ""
	if o.Mode == bridge.PTY && o.SpawnMode == bridge.Worktree {
		// The same name is reused on resume, so that --continue finds the
		// conversation of that directory.
		r.Worktree = "clauster-" + firstN(w.Run, 8)
		if r.Continue && w.Record.Worktree != "" {
			r.Worktree = w.Record.Worktree
		}
	}
	return r, nil
}

// options merges, strongest first: the request, the record when resuming (the
// recorded mode is honoured whatever the configuration says now), the
// configuration.
func (w wish) options(resume bool) bridge.Options {
	var asked, recorded bridge.Options
	if w.Request != nil {
		asked = w.Request.Options
	}
	if resume {
		recorded = w.Record.Options
	}
	d := w.Defaults
	o := bridge.Options{
		Mode:           cmp.Or(recorded.Mode, asked.Mode, w.Launch, bridge.Standard),
		SpawnMode:      cmp.Or(recorded.SpawnMode, asked.SpawnMode, d.SpawnMode, bridge.SameDir),
		PermissionMode: cmp.Or(asked.PermissionMode, recorded.PermissionMode, d.PermissionMode, bridge.PermDefault),
		Name:           cmp.Or(asked.Name, recorded.Name),
		Capacity:       cmp.Or(asked.Capacity, recorded.Capacity, d.Capacity),
		Prefix:         cmp.Or(asked.Prefix, recorded.Prefix, d.SessionNamePrefix),
		Verbose:        asked.Verbose || recorded.Verbose || d.Verbose,
	}
	if w.Request != nil && w.Request.Fork != "" {
		o.Mode = bridge.PTY // only the flag form can continue a chosen session
	}
	if o.Mode == bridge.PTY {
		// What this mode has not got is not recorded as if it had.
		o.Capacity, o.Prefix, o.Verbose = 0, "", false
		if o.SpawnMode == bridge.Session { // a default, or an old record's
			o.SpawnMode = bridge.SameDir
		}
	}
	return o
}

// asksSessionInPTY reports whether the spawn mode session was asked for, in so
// many words, for a bridge that is to be of mode pty.
func (w wish) asksSessionInPTY(resume bool) bool {
	return w.Request != nil && w.Request.SpawnMode == bridge.Session && !(resume && w.Record.SpawnMode != "") &&
		w.options(resume).Mode == bridge.PTY
}

// needless names the options that were asked for and that the planned mode has
// not got. They harm nothing, so they are said and not refused. What is as
// recorded was not asked for: a restart fills its request up with it.
func needless(w wish, planned bridge.Mode) []string {
	if w.Request == nil || planned != bridge.PTY {
		return nil
	}
	asked, recorded := w.Request.Options, bridge.Options{}
	if w.Record != nil {
		recorded = w.Record.Options
	}
	var names []string
	for _, o := range []struct {
		name string
		is   bool
	}{{"capacity", asked.Capacity != 0 && asked.Capacity != recorded.Capacity}, {"session_name_prefix", asked.Prefix != "" && asked.Prefix != recorded.Prefix}, {"verbose", asked.Verbose && !recorded.Verbose}} {
		if o.is {
			names = append(names, o.name)
		}
	}
	return names
}

func bypassRefused(w wish) bridge.Cause {
	project := w.Instance.Project
	return bridge.Cause{Name: "bypass-refused", Class: bridge.ClassPermanent,
		Reason: "permission mode bypassPermissions is above the ceiling that root set for project " + project,
		Hint:   "choose another mode, or allow it: " + bridge.AllowBypass(w.Config, project, w.User)}
}

func firstN(s string, n int) string { return s[:min(len(s), n)] }
