package wire

// SystemMetrics is the answer of GET /api/v1/metrics/system.
type SystemMetrics struct {
	Resources
	UptimeSeconds int64  `json:"uptime_seconds"`
	Host          string `json:"host"`
}

// AgentsMetrics is the answer of GET /api/v1/metrics/agents.
type AgentsMetrics struct {
	AgentMetrics
	Bridges map[string]int `json:"bridges"` // by status, all five
	Health  map[string]int `json:"health"`  // of those that live
	Host    string         `json:"host"`
}

// PolicyMetrics is the answer of GET /api/v1/metrics/policy: requests that were
// judged, those that were refused (401, 403, 421, 429), both since the API's
// start, and bridges that wait for a person's word.
type PolicyMetrics struct {
	EvaluationsTotal     uint64 `json:"evaluations_total"`
	DeniedCount          uint64 `json:"denied_count"`
	ApprovalPendingCount int    `json:"approval_pending_count"`
	Host                 string `json:"host"`
}

// HTTPMetrics is the answer of GET /api/v1/metrics/http, since the API's start.
// Latencies are estimates, at most a tenth too high; 0 without any request.
type HTTPMetrics struct {
	RequestsTotal     uint64  `json:"requests_total"`
	LatencyP50        float64 `json:"latency_p50"` // milliseconds
	LatencyP99        float64 `json:"latency_p99"`
	LatencyP50Seconds float64 `json:"latency_p50_seconds"`
	LatencyP99Seconds float64 `json:"latency_p99_seconds"`
	Host              string  `json:"host"`
}

// NotRunning is a Sample of what does not run, or is not looked at.
type NotRunning struct {
	Running bool `json:"running"` // false
}

// Sample is what a bridge, or all bridges of a project, use. Rates are means
// over IntervalSeconds. Null and absent figures are unknown: their controller
// is not enabled on this host.
type Sample struct {
	Running       bool    `json:"running"` // true
	Procs         int     `json:"procs"`
	CPUPercent    float64 `json:"cpu_percent"`    // 100 is one CPU, or all of them where cpu_normalized
	CPUNormalized bool    `json:"cpu_normalized"` // metrics.normalize_cpu
	RSSBytes      uint64  `json:"rss_bytes"`
	DiskReadBPS   *int64  `json:"disk_read_bps"` // bytes a second; null where unknown or metrics.show_disk is false
	DiskWriteBPS  *int64  `json:"disk_write_bps"`

	Host            string   `json:"host"`
	Instances       []string `json:"instances"`
	IntervalSeconds float64  `json:"interval_seconds"`
	CPUSeconds      *float64 `json:"cpu_seconds,omitempty"`
	MemoryBytes     *uint64  `json:"memory_bytes,omitempty"` // page cache included
	MemoryPeakBytes *uint64  `json:"memory_peak_bytes,omitempty"`
	MemoryHigh      *uint64  `json:"memory_high_events,omitempty"`
	OOMKills        *uint64  `json:"oom_kills,omitempty"`
	IOReadBytes     *uint64  `json:"io_read_bytes,omitempty"`
	IOWriteBytes    *uint64  `json:"io_write_bytes,omitempty"`
	Pids            *uint64  `json:"pids,omitempty"` // threads count too

	// Pressure is of one instance: the share of time in which at least one
	// task waited, over the last ten seconds, 0 to 1, by resource.
	Pressure map[string]float64 `json:"pressure,omitempty"`
}

// APIErrors is the answer of GET /api/v1/errors: what the model API refused,
// as keepers saw it. A keeper reports each kind at most once a minute.
type APIErrors struct {
	Host     string      `json:"host"`
	LastHour APIErrorSum `json:"last_1h"`
	LastDay  APIErrorSum `json:"last_24h"`
}

// APIErrorSum is a sum over a span of time.
type APIErrorSum struct {
	Total     int             `json:"total"`
	ByKind    map[string]int  `json:"by_kind"`
	ByProject map[string]int  `json:"by_project"`
	Counts    []APIErrorCount `json:"counts"`
}

// APIErrorCount counts one kind of one project. Kinds are overloaded, throttled,
// rejected, limit, server-error, login and other.
type APIErrorCount struct {
	Project string `json:"project"`
	Kind    string `json:"kind"`
	Count   int    `json:"count"`
	Last    Time   `json:"last"`
}
