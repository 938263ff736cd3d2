package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"clauster/pkg/config"
)

var footer = Footer{Version: "1.2.3", Date: time.Unix(0, 0).UTC()}

func tree() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "tool", Short: "does things", Long: "Does things.\n\n  tool start\n\n.dot and 'quote stay text, and a\\b too."}
	start := &cobra.Command{Use: "start NAME", Short: "start one", Example: "  tool start --fast x", Run: run}
	start.Flags().BoolP("fast", "f", false, "hurry")
	start.Flags().String("mode", "slow", "how, a `MODE`")
	root.AddCommand(start, &cobra.Command{Use: "gate", Hidden: true, Run: run})
	return root
}

func TestCommandPages(t *testing.T) {
	pages := CommandPages(tree(), footer)
	if len(pages) != 2 || pages["tool.1"] == nil || pages["tool-start.1"] == nil {
		t.Fatalf("pages: %v, want tool.1 and tool-start.1 and no hidden command", len(pages))
	}
	for name, wants := range map[string][]string{
		"tool.1":       {"tool \\- does things", "\\&.dot and 'quote", "a\\eb", ".nf\ntool start\n.fi"},
		"tool-start.1": {`.B "\-f, \-\-fast"`, `.B "\-\-mode MODE"`, "(default slow)", "tool start \\-\\-fast x", "1970\\-01\\-01"},
	} {
		for _, want := range wants {
			if !strings.Contains(string(pages[name]), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, pages[name])
			}
		}
	}
}

// TestConfigPage: every key of the keeper and the command line is on it, and
// none that no program of this version reads.
func TestConfigPage(t *testing.T) {
	page := string(ConfigPage(config.Keys(), footer))
	for _, k := range config.Keys() {
		ours := k.Surface == config.Keeper || k.Surface == config.Ctl
		if got := strings.Contains(page, ".B "+quote(k.Name)+"\n"); got != ours {
			t.Errorf("%s: on the page: %v, want %v", k.Name, got, ours)
		}
	}
}

// TestSameTwice: the packages must not differ between two builds.
func TestSameTwice(t *testing.T) {
	first, err := Files(tree(), footer)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Files(tree(), footer)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range first {
		if !bytes.Equal(data, second[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

// TestTroffAccepts asks the real formatter.
func TestTroffAccepts(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("SKIPPED: groff is not installed")
	}
	for name, page := range CommandPages(tree(), footer) {
		cmd := exec.Command("groff", "-man", "-ww", "-z", "-Tutf8")
		cmd.Stdin = bytes.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
