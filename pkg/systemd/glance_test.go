package systemd

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEnabledLinks(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"multi-user.target.wants/clauster@blog.service", "multi-user.target.wants/clauster@.service",
		"default.target.requires/clauster@shop:a.service", "other/clauster@x.service", "multi-user.target.wants/ssh.service"} {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/nowhere", path); err != nil {
			t.Fatal(err)
		}
	}
	got := EnabledLinks([]string{dir, dir, "/nonexistent"}, "clauster@", ".service")
	if want := []string{"clauster@blog.service", "clauster@shop:a.service"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
