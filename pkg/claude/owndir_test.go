package claude

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An agent once made projects/whole a link to its home, and «trust whole»
// trusted the home. A start refuses links with the same words.
func TestGrantRefusesLinks(t *testing.T) {
	d, project := home(t, nil)
	root := filepath.Dir(project)
	write(t, filepath.Join(root, "file"), "x")
	for name, target := range map[string]string{"whole": d.Home, "beside": project, "etc": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"whole", "whole/", "beside", "etc", "file"} {
		changed, err := Grant(t.Context(), d, root+"/"+name)
		if err == nil || changed || !strings.Contains(err.Error(), "the project is a link or a file, not a directory of its own") {
			t.Errorf("%s: %v %v", name, changed, err)
		}
	}
	if _, err := os.Lstat(d.Config()); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	if _, err := Grant(t.Context(), d, filepath.Join(root, "none")); err == nil {
		t.Error("a missing project was trusted")
	}
}

// The links of projects_root itself are root's: the key is the real path.
func TestGrantFollowsTheRootsLinks(t *testing.T) {
	d, project := home(t, nil)
	link := filepath.Join(d.Home, "link")
	if err := os.Symlink(filepath.Dir(project), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Grant(t.Context(), d, filepath.Join(link, "hello")); err != nil {
		t.Fatal(err)
	}
	if tr, err := ReadTrust(d, project); err != nil || tr.By != project {
		t.Errorf("%+v %v", tr, err)
	}
}
