package claude

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

// go test ./pkg/claude -run TestDocs -update writes the generated table.
var update = flag.Bool("update", false, "write the generated documentation")

const failuresPage = "../../docs/failures.md"

// TestDocs: the page of failures names every cause with its class and hint.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(failuresPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- causes: generated from pkg/claude (go test ./pkg/claude -run TestDocs -update) -->\n", "<!-- end of causes -->\n"
	before, rest, found := strings.Cut(string(page), begin)
	table, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatalf("%s has no place for the table of causes", failuresPage)
	}
	want := causesTable()
	if *update {
		if err := os.WriteFile(failuresPage, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Errorf("%s is not what the table of causes says; run: go test ./pkg/claude -run TestDocs -update", failuresPage)
	}
}

func causesTable() string {
	var b strings.Builder
	b.WriteString("| Cause | Class | What it means | What to do |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	row := func(c bridge.Cause) {
		if seen[c.Name] {
			return
		}
		seen[c.Name] = true
		class := string(c.Class)
		if class == "" {
			class = "—"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, class, c.Reason, strings.ReplaceAll(c.Hint, "|", `\|`))
	}
	for _, f := range failures() {
		row(f.cause)
	}
	for _, c := range found() {
		row(c)
	}
	return b.String()
}
