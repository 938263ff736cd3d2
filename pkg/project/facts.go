package project

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"clauster/pkg/claude"
)

// Facts are what is known of one project. Zero values are «no» and «unknown».
type Facts struct {
	Name         string `json:"name"`
	Path         string `json:"path"` // with links resolved
	Git          bool   `json:"git,omitempty"`
	Branch       string `json:"branch,omitempty"` // "" where HEAD is detached or out of reach
	HasClaudeMD  bool   `json:"has_claude_md,omitempty"`
	HasClaudeDir bool   `json:"has_claude_dir,omitempty"`
	Trusted      bool   `json:"trusted,omitempty"`
}

// Look gives the facts of one project. The error is a *bridge.NameError,
// ErrNotFound, or the system's. A ~/.claude.json that cannot be read trusts
// nothing: so claude itself sees it.
func (r *Root) Look(name string, trusts claude.Trusts) (Facts, error) {
	d, err := r.open(name)
	if err != nil {
		return Facts{}, err
	}
	defer d.close()
	f := Facts{Name: name, Path: d.path, HasClaudeMD: d.isFile("CLAUDE.md"), HasClaudeDir: d.isDir(".claude")}
	f.Git, f.Branch = r.git(d)
	f.Trusted = trusts.Of(d.path).Trusted
	return f, nil
}

// LookAll gives the facts of every project until ctx ends; one that cannot be
// looked at, because it has just gone or may not be entered, has its name alone.
func (r *Root) LookAll(ctx context.Context, trusts claude.Trusts) ([]Facts, error) {
	names, err := r.Names()
	if err != nil {
		return nil, err
	}
	all := make([]Facts, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("cannot look at every project: %w", err)
		}
		f, err := r.Look(name, trusts)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			f = Facts{Name: name, Path: r.path + "/" + name}
		}
		all = append(all, f)
	}
	return all, nil
}

// isFile and isDir follow links within the project, as claude would.
func (d dir) isFile(name string) bool {
	info, err := d.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (d dir) isDir(name string) bool {
	info, err := d.root.Stat(name)
	return err == nil && info.IsDir()
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) }
