package keeper

import (
	"time"

	"clauster/pkg/account"
	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/journal"
)

// stateVersion (stateversion.go) is the version of state as a successor (a
// restart or a reload, perhaps of another release) finds it. Raise it when an
// older reader would misunderstand a newer writer. A reader knows all versions
// up to its own: selfcheck refuses a newer one, because the old image can go
// on; after a death there is nobody else, and the successor does its best with
// what it understands rather than give the bridge up.

// state is the keeper's memory across its own death. It lives in the memo.
type state struct {
	Version  int    `json:"version"`
	Instance string `json:"instance"`
	Boot     string `json:"boot"` // kernel boot_id

	// Across runs of one series of automatic restarts.
	Crashes int       `json:"crashes,omitempty"`  // in a row, without healthyAfter of READY in between
	Next    time.Time `json:"next,omitzero"`      // the next launch waits until then
	Fresh   bool      `json:"fresh,omitempty"`    // resuming failed: launch fresh
	LastEnd string    `json:"last_end,omitempty"` // sentence for STATUS= while waiting
	// Tries are the ends in a row that a new start followed, which the delay
	// grows with; Crashes are those that count against the budget.
	Tries      int           `json:"tries,omitempty"`
	LastStatus bridge.Status `json:"last_status,omitempty"` // of the last end: crashed or error
	// Over is the end of a series that is not started again. It is there from
	// the end's event to the keeper's exit: a keeper killed in between is
	// started again by systemd all the same, and its successor must not launch.
	Over *over `json:"over,omitempty"`
	// Keepers that died within the window that began then (brake.go).
	Deaths      int       `json:"deaths,omitempty"`
	DeathsSince time.Time `json:"deaths_since,omitzero"`
	// No keeper of this start has settled yet who asked for it. systemd counts
	// a restart after each keeper's death, also one before that.
	Unsettled bool `json:"unsettled,omitempty"`
	// Of the start under way, until its bridge is ready.
	Intent *intent `json:"intent,omitempty"`

	Run *run `json:"run,omitempty"` // nil: no bridge was launched or its end is settled
}

// over is what a keeper ends with for good.
type over struct {
	Code     int           `json:"code"`
	Status   bridge.Status `json:"status"`
	Sentence string        `json:"sentence"`
}

// run is one run of the instance: one claude process, however many keepers.
type run struct {
	ID       string        `json:"id"` // InvocationID of its first keeper
	Record   bridge.Record `json:"record"`
	Settings settings      `json:"settings"`
	User     account.User  `json:"user"`

	Cgroup    string `json:"cgroup"` // of the scope, below /sys/fs/cgroup
	ReaperPID int    `json:"reaper_pid"`
	DebugFile string `json:"debug_file"`
	RefKey    []byte `json:"ref_key,omitempty"` // of session_ref; survives the drop of root here

	ClaudePID     int       `json:"claude_pid,omitempty"`
	ClaudeVersion string    `json:"claude_version,omitempty"`
	ConfigDir     string    `json:"config_dir,omitempty"`
	Dir           string    `json:"dir,omitempty"`
	WarningsSeen  int       `json:"warnings_seen,omitempty"`
	Launched      time.Time `json:"launched"`
	Spawned       time.Time `json:"spawned,omitzero"` // claude itself, as far as a keeper has heard
	Ready         time.Time `json:"ready,omitzero"`
	Asked         bool      `json:"asked,omitempty"`      // systemd asked to stop
	ByPerson      bool      `json:"by_person,omitempty"`  // ended at a writing terminal
	Held          bool      `json:"held,omitempty"`       // we ended it before READY
	Unattended    bool      `json:"unattended,omitempty"` // systemd started it by itself
	Reattaches    int       `json:"reattaches,omitempty"`
	OOMKills      int       `json:"oom_kills,omitempty"` // told so far

	Log    claude.Log    `json:"log"` // evidence of the debug file; its ids never leave the keeper
	Link   string        `json:"link,omitempty"`
	Cause  bridge.Cause  `json:"cause,omitzero"` // recognised in claude's words
	Health bridge.Health `json:"health,omitempty"`
	Why    string        `json:"why,omitempty"` // sentence beside the health

	Events map[bridge.Event]sent `json:"events,omitempty"` // of the once-a-run events
}

// sent remembers a once-a-run event: its id before it is written, Done after.
type sent struct {
	ID   string `json:"id"`
	Done bool   `json:"done,omitempty"`
}

// settings are what a running keeper needs of the configuration. They are
// those of the launch: a change takes effect at the next start.
type settings struct {
	Grace          time.Duration        `json:"grace"`
	Policy         bridge.RestartPolicy `json:"policy"`
	LogLevel       journal.Priority     `json:"log_level"`
	LinesPerSecond int                  `json:"lines_per_second"`
	Burst          int                  `json:"burst"`
	ConfigHash     string               `json:"config_hash"`
}

// Crash budget and delays (DESIGN §4, issue 3): 1 s doubling to 5 min, forgiven
// after 10 min of READY.
const (
	firstDelay   = time.Second
	longestDelay = 5 * time.Minute
	healthyAfter = 10 * time.Minute
	crashBudget  = 10 // crashes in a row after which a bridge is not started again
)

// delayAfter is how long the next launch waits after n ends in a row.
func delayAfter(n int) time.Duration {
	if n < 1 {
		return 0
	}
	if n > 9 { // 2^9 s is beyond the longest
		return longestDelay
	}
	return min(firstDelay<<(n-1), longestDelay)
}

// count books one end that systemd will start again and sets the time of the
// next launch. A passing fault (network, service) makes the next start wait
// longer, but no number of them spends the crash budget.
func (s *state) count(ready, now time.Time, v bridge.Verdict) {
	if !ready.IsZero() && now.Sub(ready) >= healthyAfter {
		s.Crashes, s.Tries = 0, 0
	}
	if !v.Passing {
		s.Crashes++
	}
	s.Tries++
	s.Next = now.Add(delayAfter(s.Tries))
	s.LastEnd, s.LastStatus = v.Reason, v.Status
}

// budgetOut reports whether one more crash exceeds the budget.
func (s *state) budgetOut(ready, now time.Time) bool {
	if !ready.IsZero() && now.Sub(ready) >= healthyAfter {
		return false
	}
	return s.Crashes+1 >= crashBudget
}
