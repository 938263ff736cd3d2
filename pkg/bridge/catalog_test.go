package bridge

import (
	"os"
	"strings"
	"testing"
)

// journalctl -x reads the same catalog in user mode, where the system's
// commands are about other bridges.
func TestCatalogSpeaksOfUserMode(t *testing.T) {
	text, err := os.ReadFile("../../units/clauster.catalog")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range strings.Split(string(text), "\n-- ")[1:] {
		commands := strings.Contains(entry, "\n    clauster-ctl ") || strings.Contains(entry, "\n    systemctl ") || strings.Contains(entry, "\n    journalctl ")
		if commands && !strings.Contains(entry, "--user") {
			t.Errorf("%.120s…: commands, and no word of --user", entry)
		}
		if strings.Contains(entry, "/etc/clauster/clauster.toml") && !strings.Contains(entry, "~/.config/clauster/clauster.toml") {
			t.Errorf("%.120s…: root's configuration alone", entry)
		}
	}
}
