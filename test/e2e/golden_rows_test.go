package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clauster/test/machine"
)

// goldenRow is one row of the tables in docs/failures.md.
type goldenRow struct {
	name   string            // of the project it is played in
	keys   map[string]string // of the stand-in
	form   string            // standard, pty, session or worktree
	status string
	health string
	exit   string // of the keeper, "—" while the bridge lives
	again  bool
	word   string // CLAUSTER_VERDICT
	reason *regexp.Regexp
}

// lives reports whether the row is about a bridge that lives.
func (r goldenRow) lives() bool { return r.exit == "—" }

// goldenHeader begins every table that is a test.
const goldenHeader = "| Stand-in | Form | Status | Health | Exit | Again | Verdict | Reason |"

// goldenRows reads docs/failures.md. The projects' names begin with prefix.
func goldenRows(t *testing.T, prefix string) []goldenRow {
	t.Helper()
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []goldenRow
	inside := false
	for n, line := range strings.Split(string(text), "\n") {
		switch {
		case line == goldenHeader:
			inside = true
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && !strings.HasPrefix(line, "|---"):
			more, err := goldenLine(prefix, line)
			if err != nil {
				t.Fatalf("docs/failures.md:%d: %v", n+1, err)
			}
			rows = append(rows, more...)
		}
	}
	// A table whose header was changed would be a table that nobody tests.
	if len(rows) < 100 {
		t.Fatalf("docs/failures.md: only %d rows begin under %q", len(rows), goldenHeader)
	}
	return rows
}

// goldenLine reads one line of a table; «both» makes two rows of it.
func goldenLine(prefix, line string) ([]goldenRow, error) {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if len(cells) != 8 {
		return nil, fmt.Errorf("%d cells, want 8", len(cells))
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	r := goldenRow{keys: map[string]string{}, form: cells[1], status: cells[2], health: cells[3], exit: cells[4],
		again: cells[5] == "yes", word: cells[6]}
	var words []string
	for _, key := range strings.Split(cells[0], ", ") {
		k, v, _ := strings.Cut(strings.Trim(key, "`"), "=")
		r.keys[k] = v
		words = append(words, k+"="+v)
	}
	var parts []string
	for _, part := range strings.Split(cells[7], "…") {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	r.reason = regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
	slug := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(strings.Join(words, "-")), "-"), "-")
	r.name = prefix + "-" + slug
	if r.form != "both" {
		r.name += "-" + r.form
		return []goldenRow{r}, nil
	}
	standard, pty := r, r
	standard.form, standard.name = "standard", r.name+"-standard"
	pty.form, pty.name = "pty", r.name+"-pty"
	return []goldenRow{standard, pty}, nil
}

// flags are the choices of clauster-ctl start that make the row's form.
func (r goldenRow) flags() string {
	switch r.form {
	case "pty":
		return "--mode pty"
	case "worktree":
		return "--mode pty --spawn-mode worktree"
	case "session":
		return "--mode standard --spawn-mode session"
	}
	return "--mode standard"
}

// config is the row's .fakeclaude at a time factor.
func (r goldenRow) config(scale string) string {
	text := "scale=" + scale + "\n"
	for k, v := range r.keys {
		text += k + "=" + v + "\n"
	}
	return text
}
