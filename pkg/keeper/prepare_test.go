package keeper

import (
	"os"
	"path/filepath"
	"testing"

	"clauster/pkg/config"
)

// TestFilesHash: what a unit's environment adds is no change of configuration,
// as whoever compares cannot see it.
func TestFilesHash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.toml")
	source := func(environ ...string) config.Source {
		return config.Source{UserMode: true, Environ: append(environ, "CLAUSTER_CONFIG="+path)}
	}
	load := func(s config.Source) *config.Config {
		t.Helper()
		cfg, report := config.Load(s)
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	if err := os.WriteFile(path, []byte("restart = \"never\"\n[claude]\nstartup_grace_seconds = 30\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src := source("CLAUSTER_INSTANCE_DEFAULTS_SPAWN_MODE=worktree")
	plain, added := load(source()), load(src)
	if plain.BridgeHash("blog") == added.BridgeHash("blog") {
		t.Fatal("the variable changes no bridge")
	}
	if got := filesHash(src, added, "blog"); got != plain.BridgeHash("blog") {
		t.Error("a variable of the unit counts")
	}
	if err := os.WriteFile(path, []byte("restart = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := filesHash(src, added, "blog"); got != added.BridgeHash("blog") {
		t.Error("a file with a fault is compared as nothing")
	}
}
