package bench

import (
	"fmt"
	"strings"
)

const (
	apiSocket  = "/run/clauster/api.sock"
	webAddress = "127.0.0.1:7621"
	hookTarget = "127.0.0.1:9001"
	password   = "correct horse battery staple"
	// apiFleet is how many bridges the API's figures are taken with.
	apiFleet = 200
)

type resident struct {
	RSS        float64 `json:"rss_kb"`
	PSS        float64 `json:"pss_kb"`
	CPUPercent float64 `json:"cpu_percent"`
}

type logins struct {
	figures
	RSS float64 `json:"rss_kb"`
}

type viewers struct {
	Before  float64 `json:"rss_before_kb"`
	Early   float64 `json:"rss_early_kb"`
	Late    float64 `json:"rss_late_kb"`
	Rate    float64 `json:"bytes_per_second"`
	Skipped float64
	Lines   float64
}

// starts are how long the API takes to its first answer.
type starts struct{ none, many, sandbox figures }

// coldStart measures the API's start where no bridge runs, and what of it is
// systemd's own. The API goes on beside all that follows.
func (b *bench) coldStart() {
	b.serve()
	b.probe(&b.cold.none, "cold", "30", "/healthz")
	b.probe(&b.cold.sandbox, "sandbox", "30")
}

// withAPI measures the API beside the fleet.
func (b *bench) withAPI() []row {
	b.launch(fleet, apiFleet-1)
	b.MustRun("systemctl", "start", "clauster@bench")
	b.probe(&b.cold.many, "cold", "10", "/healthz")
	c := b.cold
	rows := []row{{fmt.Sprintf("API: cold start to the first byte, store open; beside %d bridges (p50)", apiFleet), ms(c.none.P50) + "; " + ms(c.many.P50), "≤ 30 ms",
		fmt.Sprintf("%s; systemd alone, with /bin/true in the same sandbox: %s", times(c.none.P50, 30), ms(c.sandbox.P50)), b.peer.or("start", "1.24 s")}}
	rows = append(rows, b.apiRows()...)
	rows = append(rows, b.eventRows()...)
	return append(rows, b.viewerRow())
}

// serve configures everything that the API's figures need, and enables its sockets.
func (b *bench) serve() {
	b.t.Helper()
	hash := strings.TrimSpace(b.MustSh(`echo "$1" | clauster-ctl hash-password`, password))
	b.MustWriteFile("/etc/clauster/clauster.toml", fmt.Sprintf(`user = "op"
[observability]
prometheus_enabled = true
[auth]
enabled = true
password_required = true
password_hash = %q
[webhooks]
enabled = true
block_private_targets = false
urls = ["http://%s/hook"]
[webhooks.events]
spawn = false
ready = false
stop = false
`, hash, hookTarget), 0o640, "")
	b.MustRun("chown", "root:clauster", "/etc/clauster/clauster.toml")
	b.MustRun("systemctl", "enable", "--now", "clauster-api.socket", "clauster-wake.socket", "clauster-web.socket")
}

// apiRows measures the API beside a fleet that idles; bench is one of it.
func (b *bench) apiRows() []row {
	var warm, list, page, scrape, health figures
	var idle resident
	var login logins
	var rate struct{ API, Bare, Free float64 }
	b.probe(&warm, "latency", "10", apiSocket, "/api/v1/instances")
	b.probe(&idle, "resident", "30")
	b.probe(&list, "latency", "1000", apiSocket, "/api/v1/instances")
	b.probe(&page, "latency", "50", apiSocket, "/metrics")
	b.probe(&scrape, "scrape", "3", apiSocket, "/metrics")
	b.probe(&health, "latency", "2000", apiSocket, "/healthz")
	b.probe(&login, "logins", "10", webAddress, password)
	b.probe(&rate, "rate", "3", "/health/live")
	var after resident
	b.probe(&after, "resident", "1")
	return []row{
		{fmt.Sprintf("API: RSS beside %d bridges; after lists, scrapes and ten logins", apiFleet),
			fmt.Sprintf("%s; %s", mb(idle.RSS), mb(login.RSS)), "≤ 25 MB", times(max(idle.RSS, login.RSS)/1024, 25), b.peer.or("rss", "102 MB at 100")},
		{fmt.Sprintf("API: idle CPU beside %d bridges", apiFleet), fmt.Sprintf("%.3f %%", idle.CPUPercent), "≤ 0.2 % of a core",
			times(idle.CPUPercent, 0.2), b.peer.or("idle", "9.7 % at 100")},
		{fmt.Sprintf("API: list of %d (p50, p99)", apiFleet), ms2(list.P50) + ", " + ms2(list.P99), "p50 ≤ 1 ms", times(list.P50, 1), b.peer.or("list", "1.1 ms at 100")},
		{fmt.Sprintf("API: fresh /metrics of %d (p50): again and again; every 15 s, when systemd is asked about each watchdog", apiFleet),
			ms(page.P50) + "; " + ms(scrape.P50), "≤ 10 ms", times(page.P50, 10), b.peer.or("metrics", "2.0 ms at 100") + ", samples of its poll"},
		{"API: /healthz (p50)", ms2(health.P50), "≤ 0.2 ms", times(health.P50, 0.2), b.peer.or("healthz", "4.0 ms")},
		{"API: GET /health/live, 8 clients", fmt.Sprintf("%.0f/s", rate.API), "≥ 60 % of a bare net/http handler",
			fmt.Sprintf("%.0f %% of one in the same sandbox (%.0f/s), %.0f %% of one without (%.0f/s)", rate.API/rate.Bare*100, rate.Bare, rate.API/rate.Free*100, rate.Free), "246/s /healthz, one client"},
	}
}

// eventRows measures what reaches somebody outside, with the fleet idling beside.
func (b *bench) eventRows() []row {
	var hook, lines figures
	b.probe(&hook, "webhook", "50", "bench", hookTarget)
	b.MustRun("systemctl", "restart", "clauster@bench")
	b.probe(&lines, "lines", "100", "bench")
	return []row{
		{"bridge killed → webhook received (p50, p99)", ms(hook.P50) + ", " + ms(hook.P99), "p99 ≤ 100 ms", times(hook.P99, 100), "up to 30 s"},
		{"log line → WebSocket viewer (p50, p99)", ms(lines.P50) + ", " + ms(lines.P99), "p99 ≤ 50 ms", times(lines.P99, 50), "0–500 ms, polled"},
	}
}

// viewerRow lets a hundred follow a log of 1 MB/s: lines of 8 KB, so that the
// keeper's budget of lines lets them pass.
func (b *bench) viewerRow() row {
	const n = 100
	b.project("talks", "flood=1000000:to=debug:kind=long\n")
	b.MustRun("systemctl", "start", "clauster@talks")
	var v viewers
	b.probe(&v, "viewers", fmt.Sprint(n), "talks")
	b.MustRun("systemctl", "stop", "clauster@talks")
	return row{fmt.Sprintf("API: RSS with %d viewers of a 1 MB/s log: first 10 s, next 10 s", n), mb(v.Early) + ", " + mb(v.Late), "bounded, not growing",
		fmt.Sprintf("%.1f MB/s to each; of %.0f lines %.0f skipped, and told", v.Rate/n/1e6, v.Lines+v.Skipped, v.Skipped), "—"}
}

func mb(kb float64) string { return fmt.Sprintf("%.1f MB", kb/1024) }
func ms2(v float64) string { return fmt.Sprintf("%.3f ms", v) }
