package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readRepository(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestMonitoringPage: docs/monitoring.md has a row for each metric, as the code
// has it.
func TestMonitoringPage(t *testing.T) {
	page := readRepository(t, "docs/monitoring.md")
	for _, f := range Families() {
		var labels []string
		for _, l := range f.Labels {
			labels = append(labels, "`"+l+"`")
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.Name, f.Type, strings.Join(labels, " "), f.Help)
		row = strings.ReplaceAll(row, "|  |", "| |")
		if !strings.Contains(page, row) {
			t.Errorf("docs/monitoring.md lacks the row:\n%s", row)
		}
	}
}

// TestNamesInExamples: what alert rules, dashboard and page ask for is there.
func TestNamesInExamples(t *testing.T) {
	var names []string
	for _, f := range Families() {
		names = append(names, f.Name)
		if f.Type == "histogram" {
			names = append(names, f.Name+"_bucket", f.Name+"_sum", f.Name+"_count")
		}
	}
	absent := []string{"clauster_hosted_sessions", "clauster_claustrum_up"} // the peer's, and said to be absent
	metric := regexp.MustCompile(`\bclauster_[a-z_]+`)
	for _, path := range []string{"packaging/examples/clauster-alerts.yml", "packaging/examples/clauster-dashboard.json", "docs/monitoring.md"} {
		for _, name := range metric.FindAllString(readRepository(t, path), -1) {
			if !slices.Contains(names, name) && !slices.Contains(absent, name) && !strings.HasPrefix(name, "clauster_pat_") {
				t.Errorf("%s names %s", path, name)
			}
		}
	}
}
