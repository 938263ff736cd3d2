package bridge

// Status is what an operator is told about an instance first.
type Status string

// The five statuses; DESIGN §4 gives the facts behind each.
const (
	Starting Status = "starting" // service activating, no READY in this run yet
	Running  Status = "running"  // READY in this run and the scope lives
	Stopped  Status = "stopped"  // asked to stop, or a single-shot session ended
	Crashed  Status = "crashed"  // ended unasked after READY; also while waiting to be started again
	Failed   Status = "error"    // ended or held before READY
)

// Health says how a living bridge serves; it is empty for a dead one.
type Health string

// The healths a keeper derives from markers, screen and cgroup.
const (
	OK           Health = "ok"
	Reattaching  Health = "reattaching"  // the keeper is being restarted over a living scope
	Reconnecting Health = "reconnecting" // claude lost its connection and tries again
	Waiting      Health = "waiting"      // a prompt or a permission wants a person
	Wedged       Health = "wedged"       // alive without evidence of service
	Frozen       Health = "frozen"       // its cgroup is frozen or its process is stopped
)

// Mode is how claude is launched; it is fixed at the first launch of an
// instance and recorded.
type Mode string

// The two forms of the CLI that make a bridge (claude-cli.md §§3, 4).
const (
	Standard Mode = "standard" // claude remote-control: many sessions
	PTY      Mode = "pty"      // claude --remote-control: one interactive session
)

// SpawnMode is claude's --spawn (standard) or whether pty gets --worktree.
type SpawnMode string

// The spawn modes of claude 2.1.330.
const (
	SameDir  SpawnMode = "same-dir"
	Worktree SpawnMode = "worktree"
	Session  SpawnMode = "session" // single-shot: its end is a stop, not a crash
)

// PermissionMode is claude's --permission-mode, or Inherit for no flag.
type PermissionMode string

// The permission modes of claude 2.1.330 plus our own Inherit.
const (
	PermDefault     PermissionMode = "default"
	PermPlan        PermissionMode = "plan"
	PermAcceptEdits PermissionMode = "acceptEdits"
	PermAuto        PermissionMode = "auto"
	PermDontAsk     PermissionMode = "dontAsk"
	PermBypass      PermissionMode = "bypassPermissions" // needs allow_bypass_permissions
	PermInherit     PermissionMode = "inherit"           // pass no flag
)

// RestartPolicy decides what follows a crash.
type RestartPolicy string

// The two policies of the `restart` key.
const (
	RestartOnCrash RestartPolicy = "on-crash"
	RestartNever   RestartPolicy = "never"
)

// Kind is what a launch makes. Later work adds hosted sessions and tasks.
type Kind string

// KindBridge is the only kind today.
const KindBridge Kind = "bridge"

// Transport is what connects the keeper with what it launched. Later work
// adds pipes.
type Transport string

// TransportTerminal is a pseudo-terminal owned by the keeper.
const TransportTerminal Transport = "terminal"

// Modes, SpawnModes, PermissionModes and RestartPolicies list the legal
// values in the order in which help and error messages name them.
func Modes() []Mode           { return []Mode{Standard, PTY} }
func SpawnModes() []SpawnMode { return []SpawnMode{SameDir, Worktree, Session} }
func PermissionModes() []PermissionMode {
	return []PermissionMode{PermDefault, PermPlan, PermAcceptEdits, PermAuto, PermDontAsk, PermBypass, PermInherit}
}
func RestartPolicies() []RestartPolicy { return []RestartPolicy{RestartOnCrash, RestartNever} }

// Exit codes of the keeper (sysexits where one fits). Never 2: that is Go's
// panic and what systemd reports for the watchdog's SIGABRT, and it means
// "the keeper died, keep the bridge" to ExecStopPost.
const (
	ExitStopped   = 0  // stopped on request, or a single-shot session ended
	ExitNotReady  = 69 // never became ready; not started again
	ExitCrashed   = 70 // crashed; systemd starts it again
	ExitTemporary = 75 // temporary fault before READY; systemd starts it again
	ExitGaveUp    = 76 // crashed and not started again: policy or spent crash budget
	ExitPermanent = 77 // login, trust or policy; not started again
	ExitConfig    = 78 // configuration or installation; not started again
)
