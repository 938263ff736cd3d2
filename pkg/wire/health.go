package wire

// HealthWord says how a part, or all of it, is.
type HealthWord string

// The three words of GET /health.
const (
	Healthy   HealthWord = "healthy"
	Degraded  HealthWord = "degraded"  // something has issues, the whole works
	Unhealthy HealthWord = "unhealthy" // something without which it does not is down
)

// Liveness is all that a stranger learns of GET /healthz.
type Liveness struct {
	Status string `json:"status"` // ok
}

// Healthz is the answer of GET /healthz to whoever may know more. The login is
// said to be fine until the first look, so that nobody is woken by a start.
type Healthz struct {
	Status               string  `json:"status"` // ok
	Version              string  `json:"version"`
	ClaudeOK             bool    `json:"claude_ok"`
	ClaudeVersion        *string `json:"claude_version"`
	ClaudeLoginOK        bool    `json:"claude_login_ok"`
	ClaudeLoginMethod    *string `json:"claude_login_method"`
	ClaudeLoginExpiresAt *int64  `json:"claude_login_expires_at"` // milliseconds since 1970
	InstancesRunning     int     `json:"instances_running"`
}

// HealthStatus is all that a stranger learns of GET /health.
type HealthStatus struct {
	Status HealthWord `json:"status"`
}

// Health is the answer of GET /health.
type Health struct {
	Status        HealthWord            `json:"status"`
	Version       string                `json:"version"`
	UptimeSeconds int64                 `json:"uptime_seconds"`
	Services      map[string]HealthWord `json:"services"`
	Resources     Resources             `json:"resources"`

	Host         string        `json:"host"`
	Checks       []HealthCheck `json:"checks"`
	Watchdogs    []Watchdog    `json:"watchdogs"`
	AgentMetrics AgentMetrics  `json:"agent_metrics"`
}

// Resources is what the machine has left. Zero is unknown. Megabytes are 1024
// times 1024 bytes; the disk is the one of the state directory.
type Resources struct {
	CPUPercent      float64 `json:"cpu_percent"` // of all CPUs, mean since the previous look
	MemoryUsedMB    int64   `json:"memory_used_mb"`
	MemoryTotalMB   int64   `json:"memory_total_mb"`
	DiskUsedPercent float64 `json:"disk_used_percent"`
}

// HealthCheck is what was found of one service, and when.
type HealthCheck struct {
	Name           string     `json:"name"`
	Status         HealthWord `json:"status"`
	LatencySeconds float64    `json:"latency_seconds"` // what the look took
	AgeSeconds     float64    `json:"age_seconds"`     // since the look
	Detail         string     `json:"detail"`          // one plain sentence
	Hint           string     `json:"hint,omitempty"`  // the next command
}

// Watchdog is one unit's last sign of life to systemd.
type Watchdog struct {
	Unit            string  `json:"unit"`
	WatchdogSeconds float64 `json:"watchdog_seconds"` // WatchdogSec=: systemd kills what is silent for longer
	AgeSeconds      float64 `json:"age_seconds"`      // since the last ping
	Late            bool    `json:"late"`             // more than three quarters of it have passed
}

// AgentMetrics is what the bridges did. An invocation is an order to one: a
// start, stop, restart or resume that somebody asked for.
type AgentMetrics struct {
	ActiveCount          int     `json:"active_count"`
	TotalSessions        uint64  `json:"total_sessions"`         // launches, ever
	InvocationsPerMinute float64 `json:"invocations_per_minute"` // mean of the last hour
	ErrorRate            float64 `json:"error_rate"`             // share of the last day's ends that were crashes or errors, 0 to 1
}

// Readiness is the answer of GET /health/ready.
type Readiness struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}
