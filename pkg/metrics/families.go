package metrics

// Family is one metric of the Prometheus page.
type Family struct {
	Name, Type string // gauge, counter or histogram
	Help       string
	// Labels in the order of the page. A bridge is not called instance: that is
	// the label of a target, and Prometheus would rename ours.
	Labels []string
}

// The families, in the order of Families.
const (
	famBuild = iota
	famBridges
	famProjects
	famCrashes
	famCPUPercent
	famRSS

	famHealth
	famState
	famRestarts
	famMemory
	famMemoryPeak
	famMemoryHigh
	famOOMKills
	famCPU
	famIORead
	famIOWrite
	famPids
	famPressure
	famWatchdog

	famUp
	famClaudeOK
	famLoginOK
	famLoginExpires
	famEvents
	famAPIErrors
	famDeliveries
	famFailing
	famStoreBytes
	famStoreUp
	famLag
	famRequests
	famLatency
	familyCount
)

// Families lists every metric of ours. The first six are those of the peer
// product, with its names, types and labels; its two of hosted sessions are
// absent, as there are none.
func Families() [familyCount]Family {
	g := func(name, help string, labels ...string) Family { return Family{name, "gauge", help, labels} }
	c := func(name, help string, labels ...string) Family { return Family{name, "counter", help, labels} }
	return [familyCount]Family{
		famBuild:      g("clauster_build_info", "Always 1; the version is a label.", "version"),
		famBridges:    g("clauster_bridges", "Number of bridges by status.", "status"),
		famProjects:   g("clauster_projects", "Number of projects."),
		famCrashes:    c("clauster_bridge_crashes_total", "Crashes of a project's bridges since the database was made. Absent until the first.", "project"),
		famCPUPercent: g("clauster_bridge_cpu_percent", "CPU use of a project's bridges in percent of one CPU, mean since this process's previous scrape. Absent at the first.", "project"),
		famRSS:        g("clauster_bridge_rss_bytes", "Resident memory of a project's bridges, page cache left out.", "project"),

		famHealth:     g("clauster_bridge_health", "1 for the health that a living bridge has, 0 for the others.", "project", "bridge", "health"),
		famState:      g("clauster_bridge_state_seconds", "Time since the bridge was launched, or since it ended.", "project", "bridge", "status"),
		famRestarts:   g("clauster_bridge_restarts", "Restarts by systemd since the last start that was asked for.", "project", "bridge"),
		famMemory:     g("clauster_bridge_memory_bytes", "Memory of the bridge's control group, page cache included.", "project", "bridge"),
		famMemoryPeak: g("clauster_bridge_memory_peak_bytes", "The most memory that the control group of this run ever had.", "project", "bridge"),
		famMemoryHigh: c("clauster_bridge_memory_high_events_total", "Times this run was throttled at its MemoryHigh.", "project", "bridge"),
		famOOMKills:   c("clauster_bridge_oom_kills_total", "Processes of this run that were killed for memory.", "project", "bridge"),
		famCPU:        c("clauster_bridge_cpu_seconds_total", "CPU time of this run.", "project", "bridge"),
		famIORead:     c("clauster_bridge_io_read_bytes_total", "Bytes that this run read from block devices.", "project", "bridge"),
		famIOWrite:    c("clauster_bridge_io_write_bytes_total", "Bytes that this run wrote to block devices.", "project", "bridge"),
		famPids:       g("clauster_bridge_pids", "Processes and threads of the bridge.", "project", "bridge"),
		famPressure:   c("clauster_bridge_pressure_seconds_total", "Time in which at least one task (some), or all of them (full), waited for a resource.", "project", "bridge", "resource", "kind"),
		famWatchdog:   g("clauster_keeper_watchdog_age_seconds", "Time since the bridge's keeper last told systemd that it works.", "project", "bridge"),

		famUp:           g("clauster_systemd_up", "1 if systemd answered this scrape, else 0."),
		famClaudeOK:     g("clauster_claude_ok", "1 if claude --version worked at the last look, else 0."),
		famLoginOK:      g("clauster_claude_login_ok", "1 if the bridge user was logged in at the last look, else 0."),
		famLoginExpires: g("clauster_claude_login_expires_timestamp_seconds", "When the login ends. Absent where claude does not say."),
		famEvents:       c("clauster_events_total", "Lifecycle events since the database was made, by kind.", "event"),
		famAPIErrors:    c("clauster_api_errors_total", "Refusals of the model API that keepers reported since the database was made; at most one a minute of each kind and bridge.", "kind"),
		famDeliveries:   g("clauster_deliveries", "Deliveries in the outbox by channel and state.", "channel", "state"),
		famFailing:      g("clauster_delivery_targets_failing", "Targets whose last attempt failed."),
		famStoreBytes:   g("clauster_store_bytes", "Size of the database on disk."),
		famStoreUp:      g("clauster_store_up", "1 if the database is used and answered this scrape, else 0."),
		famLag:          g("clauster_journal_lag_seconds", "Time since events could last be taken in from the journal; 0 while they are. Absent without a database."),
		famRequests:     c("clauster_api_requests_total", "HTTP requests by route and status code.", "route", "code"),
		famLatency:      {"clauster_api_request_duration_seconds", "histogram", "Latency of HTTP requests by route, streams left out.", []string{"route"}},
	}
}
