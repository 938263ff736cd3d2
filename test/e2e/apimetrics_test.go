package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

const (
	alertRules = "/usr/share/doc/clauster/examples/clauster-alerts.yml"
	// downloadTime bounds 23 MB over a slow line.
	downloadTime = 5 * time.Minute
)

// prometheusConfig is the example of docs/monitoring.md, over loopback and with
// a scrape each second.
const prometheusConfig = `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [clauster-alerts.yml]
scrape_configs:
  - job_name: clauster
    authorization: {type: Bearer, credentials_file: /etc/prometheus/clauster.token}
    static_configs: [{targets: ["127.0.0.1:7621"]}]
  - job_name: stranger
    static_configs: [{targets: ["127.0.0.1:7621"]}]
`

// TestAPIMetricsRead: Debian's own node_exporter reads the textfile, Debian's
// own Prometheus scrapes with the token and loads the alert rules, and what it
// then knows follows a logout.
func TestAPIMetricsRead(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), downloadTime)
	defer cancel()
	debs, err := machine.Debian(ctx, "prometheus-node-exporter", "prometheus")
	if err != nil {
		t.Skipf("SKIPPED: no Prometheus to test with: %v", err)
	}
	b := withAPI(t)
	b.newProject("seen", nil)
	b.mustStart("seen")
	b.installUnmet(debs...)
	t.Run("node_exporter", func(t *testing.T) { (&bed{b.With(t), t}).nodeExporterReads() })
	t.Run("prometheus", func(t *testing.T) { (&bed{b.With(t), t}).prometheusScrapes() })
}

// installUnmet installs packages without what they depend on: of Prometheus
// that is its web page's scripts and fonts, which nobody looks at here.
func (b *bed) installUnmet(debs ...string) {
	b.t.Helper()
	for _, deb := range debs {
		if err := b.CopyIn(deb, "/var/tmp/unmet.deb", ""); err != nil {
			b.t.Fatal(err)
		}
		b.MustRun("dpkg", "--install", "--force-depends", "/var/tmp/unmet.deb")
	}
}

func (b *bed) nodeExporterReads() {
	b.t.Helper()
	b.MustRun("systemctl", "enable", "--now", "clauster-textfile.timer")
	page := func() string { return b.call("op", nil, "GET", "http://127.0.0.1:9100/metrics").Body }
	for _, want := range []string{`clauster_bridges{status="running"} 1`, `clauster_bridge_memory_bytes{bridge="seen",project="seen"} `,
		"node_textfile_scrape_error 0"} {
		if err := b.WaitFor(want, settle, func() bool { return strings.Contains(page(), "\n"+want) }); err != nil {
			b.t.Errorf("node_exporter does not show %s: %v\n%s", want, err, b.MustSh("systemctl status clauster-textfile.service prometheus-node-exporter 2>&1 || true"))
		}
	}
}

func (b *bed) prometheusScrapes() {
	b.t.Helper()
	var token struct {
		Token string
		Hash  string `json:"metrics_token_hash"`
	}
	if err := json.Unmarshal([]byte(b.MustRun("clauster-ctl", "hash-metrics-token", "--json")), &token); err != nil {
		b.t.Fatal(err)
	}
	hash := strings.TrimSpace(b.MustSh(`echo "correct horse battery" | clauster-ctl hash-password`))
	b.writeConfig("[auth]\nenabled = true\npassword_required = true\npassword_hash = \"" + hash + "\"\n" +
		"[observability]\nprometheus_enabled = true\nmetrics_token_hash = \"" + token.Hash + "\"\n")
	b.MustRun("systemctl", "reload", "clauster-api")
	if a := b.askWeb("op", "GET", "/metrics", ""); a.Status != 401 {
		b.t.Errorf("without the token: %d", a.Status)
	}
	a := b.askWeb("op", "GET", "/metrics", "", "Authorization: Bearer "+token.Token)
	b.MustWriteFile("/tmp/page", a.Body, 0o644, "")
	if said := b.MustSh("promtool check metrics </tmp/page 2>&1"); said != "" {
		b.t.Errorf("promtool check metrics: %s", said)
	}

	b.MustRun("cp", alertRules, "/etc/prometheus/")
	b.MustWriteFile("/etc/prometheus/clauster.token", token.Token+"\n", 0o640, "")
	b.MustRun("chown", "root:prometheus", "/etc/prometheus/clauster.token")
	b.MustWriteFile("/etc/prometheus/prometheus.yml", prometheusConfig, 0o644, "")
	b.MustRunAs("prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml") // and the rules
	b.MustRun("systemctl", "restart", "prometheus")
	for query, want := range map[string]string{
		`up{job="clauster"}`: "1", `up{job="stranger"}`: "0",
		`clauster_bridges{status="running"}`: "1", `clauster_bridge_health{bridge="seen",health="ok"}`: "1",
		`clauster_claude_login_ok`: "1",
		// Counters that Prometheus can rate, and a histogram it can read.
		`rate(clauster_bridge_cpu_seconds_total{bridge="seen"}[1m]) >= bool 0`:                                            "1",
		`histogram_quantile(0.99, rate(clauster_api_request_duration_seconds_bucket{route="GET /metrics"}[1m])) > bool 0`: "1",
	} {
		b.prometheusSays(query, want, settle)
	}
	rules := b.call("op", nil, "GET", "http://127.0.0.1:9090/api/v1/rules").Body
	if !strings.Contains(rules, "ClausterDown") || strings.Contains(rules, `"health":"err"`) {
		b.t.Errorf("the alert rules: %s", rules)
	}
	b.MustSh(`echo login=out >>/home/op/.fakeclaude`)
	b.prometheusSays(`clauster_claude_login_ok`, "0", homeFollows)
}

// prometheusSays waits until Prometheus answers a query with one value.
func (b *bed) prometheusSays(query, want string, limit time.Duration) {
	b.t.Helper()
	var last string
	err := b.WaitFor(query, limit, func() bool {
		a := b.call("op", nil, "GET", "http://127.0.0.1:9090/api/v1/query?query="+url.QueryEscape(query))
		if last = a.Body; a.exit != 0 {
			return false // it is starting
		}
		var found struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if json.Unmarshal([]byte(a.Body), &found) != nil || len(found.Data.Result) != 1 {
			return false
		}
		return found.Data.Result[0].Value[1] == want
	})
	if err != nil {
		b.t.Errorf("Prometheus does not say %s to %s: %v\n%s", want, query, err, last)
	}
}
