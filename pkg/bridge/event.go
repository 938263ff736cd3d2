package bridge

// Event is the name of a lifecycle event in the journal (CLAUSTER_EVENT).
// docs/events.md explains each with its fields; units/clauster.catalog
// explains each to journalctl -x.
type Event string

// The events of CLAUSTER_SCHEMA=1. A run begins with spawn, then ready, and
// ends with exactly one of stop, crash and error.
const (
	EventRequested  Event = "requested"  // clauster-ctl is about to ask systemd for a verb
	EventSpawn      Event = "spawn"      // the gate opened: claude is being started
	EventReady      Event = "ready"      // registered, by evidence
	EventStop       Event = "stop"       // ended as asked
	EventCrash      Event = "crash"      // ended unasked after ready
	EventError      Event = "error"      // ended or held before ready
	EventReattached Event = "reattached" // a new keeper took over a living bridge
	EventHealth     Event = "health"     // the health word changed
	EventFallback   Event = "fallback"   // resuming failed; the next start is fresh
	EventDelayed    Event = "delayed"    // the next start waits
	EventDropped    Event = "dropped"    // log lines over the budget were dropped
	EventReloaded   Event = "reloaded"   // the keeper re-executed itself in place, or refused to
	EventAPIError   Event = "api_error"  // the model API refused or limited a request
	EventWarning    Event = "warning"    // something an operator should know, once
)

// EventSchema is the value of CLAUSTER_SCHEMA.
const EventSchema = "1"

// MessageID gives the event's 128-bit MESSAGE_ID (catalog key), "" for a name
// that is not an event.
func (e Event) MessageID() string {
	switch e {
	case EventRequested:
		return "62685e8cb18dd10ffeb767f37e908284"
	case EventSpawn:
		return "468dc605704c46fbb32d89cb7ad2d81d"
	case EventReady:
		return "83cea11b1fa4d2e2f2db42816899cc08"
	case EventStop:
		return "055fb53a6b71ad293c177dfd50fb2294"
	case EventCrash:
		return "264633d4045d75935fcb22e7f55eee99"
	case EventError:
		return "bbdd92f64fc2257a1790e89fc29ba031"
	case EventReattached:
		return "dc6141678c089fdc4009ac194c3fc69b"
	case EventHealth:
		return "1061e1d6923a330d2cee0c9c2328f77e"
	case EventFallback:
		return "a6d408c0636b89777bd88eaac0d07f18"
	case EventDelayed:
		return "dc89dfc9acda18caab74ed6b85bd9512"
	case EventDropped:
		return "b0b54343c42bb606059c58ae874c5a7c"
	case EventReloaded:
		return "67a708a66f7da49ce062c83064897730"
	case EventAPIError:
		return "359f785abb453327df7572935fa2b9d1"
	case EventWarning:
		return "3879099e351421b574af9d42c361bfdb"
	}
	return ""
}

// Events lists every event, in the order of a life.
func Events() []Event {
	return []Event{EventRequested, EventSpawn, EventReady, EventStop, EventCrash, EventError,
		EventReattached, EventHealth, EventFallback, EventDelayed, EventDropped, EventReloaded,
		EventAPIError, EventWarning}
}

// Ends reports whether the event ends a run.
func (e Event) Ends() bool {
	return e == EventStop || e == EventCrash || e == EventError
}

// Journal fields of events. Every event carries those of the first group;
// the others appear where they mean something.
const (
	FieldSchema     = "CLAUSTER_SCHEMA"
	FieldEvent      = "CLAUSTER_EVENT"
	FieldEventID    = "CLAUSTER_EVENT_ID" // UUIDv7; a repeat carries the same one
	FieldInstance   = "CLAUSTER_INSTANCE"
	FieldProject    = "CLAUSTER_PROJECT"
	FieldLabel      = "CLAUSTER_LABEL"
	FieldRun        = "CLAUSTER_RUN" // InvocationID of the run's first keeper
	FieldStatus     = "CLAUSTER_STATUS"
	FieldMode       = "CLAUSTER_RESUME_MODE" // Mode; the name is the peer product's
	FieldSpawnMode  = "CLAUSTER_SPAWN_MODE"
	FieldSessionRef = "CLAUSTER_SESSION_REF" // 16 hex of an HMAC over the session id

	FieldPermissionMode = "CLAUSTER_PERMISSION_MODE"
	FieldHealth         = "CLAUSTER_HEALTH"
	FieldReason         = "CLAUSTER_REASON"
	FieldHint           = "CLAUSTER_HINT"
	FieldVerdict        = "CLAUSTER_VERDICT"
	FieldCause          = "CLAUSTER_CAUSE"
	FieldExitCode       = "CLAUSTER_EXIT_CODE"   // decimal; absent when signalled or unknown
	FieldExitSignal     = "CLAUSTER_EXIT_SIGNAL" // SIGKILL …; absent when exited or unknown
	FieldOOMKills       = "CLAUSTER_OOM_KILLS"   // of the run, children of claude included
	FieldMemoryPeak     = "CLAUSTER_MEMORY_PEAK" // bytes, beside OOM kills
	FieldMemoryMax      = "CLAUSTER_MEMORY_MAX"  // bytes; absent without a limit
	FieldPID            = "CLAUSTER_PID"         // of claude
	FieldClaudeVersion  = "CLAUSTER_CLAUDE_VERSION"
	FieldRestarts       = "CLAUSTER_RESTARTS" // ends in a row that a new start follows
	FieldDelay          = "CLAUSTER_DELAY_SECONDS"
	FieldDroppedLines   = "CLAUSTER_DROPPED_LINES"
	FieldLastScreen     = "CLAUSTER_LAST_SCREEN" // redacted text of the terminal's end
	FieldVerb           = "CLAUSTER_VERB"        // of requested
	FieldActorUID       = "CLAUSTER_ACTOR_UID"
	FieldActorLogin     = "CLAUSTER_ACTOR_LOGIN"
	FieldPeerUnit       = "CLAUSTER_PEER_UNIT"
	FieldSource         = "CLAUSTER_SOURCE" // of a line: "debug" or "terminal"
	FieldClaudeTime     = "CLAUSTER_CLAUDE_TIME"
	FieldLine           = "CLAUSTER_LINE" // number of a keeper's entry; grows within a boot
)
