package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/config"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// What concerns the bridge user's own files is done as the bridge user: root
// runs this program again as that user. The second process shares its uid with
// the agents, so it has a session of its own (no terminal to push input into),
// nothing of root's, and what it prints is read like any foreign text.
const (
	asUserPatience = 30 * time.Second
	asUserOutput   = 1 << 20 // bytes
)

// asUserCommand is the second process.
func (a *App) asUserCommand() *cobra.Command {
	var configDir string
	c := &cobra.Command{
		Use:    "as-user VERB DIRECTORY",
		Short:  "Internal: look or write as the bridge user",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			dirs := claude.Dirs{Home: a.Getenv("HOME"), ConfigDir: configDir}
			switch args[0] {
			case "look":
				facts, err := lookAtProjects(dirs, args[1])
				if err != nil {
					return err
				}
				return printJSON(a.Stdout, facts)
			case "trust":
				g, err := grantTrust(c.Context(), dirs, args[1])
				if err != nil {
					return err
				}
				return printJSON(a.Stdout, g)
			}
			return usage("", "unknown verb %q", args[0])
		},
	}
	c.Flags().StringVar(&configDir, "config-dir", "", "CLAUDE_CONFIG_DIR of the bridges")
	return c
}

// projectFacts are what the bridge user sees of one directory.
type projectFacts struct {
	Name    string `json:"name"`
	Git     bool   `json:"git"`
	Trusted *bool  `json:"trusted,omitempty"` // nil: ~/.claude.json cannot be read
	Link    bool   `json:"link,omitempty"`    // the directory is a symbolic link
}

// maxProjects bounds how many directories are looked at.
const maxProjects = 4096

// lookAtProjects lists the directories of a projects root.
func lookAtProjects(dirs claude.Dirs, root string) ([]projectFacts, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("cannot list projects: %w", err)
	}
	facts := []projectFacts{}
	for _, e := range entries {
		path := filepath.Join(root, e.Name())
		st, err := os.Stat(path)
		if err != nil || !st.IsDir() || e.Name()[0] == '.' || len(facts) == maxProjects {
			continue
		}
		f := projectFacts{Name: e.Name(), Link: e.Type()&fs.ModeSymlink != 0}
		_, err = os.Lstat(filepath.Join(path, ".git"))
		f.Git = err == nil
		if t, err := claude.ReadTrust(dirs, path); err == nil {
			f.Trusted = &t.Trusted
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// granted is what came of trusting a project.
type granted struct {
	Changed bool `json:"changed"` // false: it was trusted already
}

func grantTrust(ctx context.Context, dirs claude.Dirs, project string) (granted, error) {
	changed, err := claude.Grant(ctx, dirs, project)
	return granted{changed}, err
}

// claudeDirs is where claude keeps the bridge user's files.
func claudeDirs(cfg *config.Config, u *osuser.User) claude.Dirs {
	return claude.Dirs{Home: u.HomeDir, ConfigDir: cfg.Claude.Env["CLAUDE_CONFIG_DIR"]}
}

// runAsUser runs a verb as the bridge user and decodes its answer.
func (a *App) runAsUser(ctx context.Context, cfg *config.Config, u *osuser.User, verb, dir string, into any) error {
	credential, err := credentialOf(u)
	if err != nil {
		return err
	}
	self, err := unreadableSelf()
	if err != nil {
		return fmt.Errorf("cannot run as %s: %w", u.Username, err)
	}
	defer self.Close()
	ctx, cancel := context.WithTimeout(ctx, asUserPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, fmt.Sprintf("/proc/self/fd/%d", self.Fd()), "as-user", "--config-dir="+cfg.Claude.Env["CLAUDE_CONFIG_DIR"], "--", verb, dir)
	cmd.Args[0] = "clauster-ctl"
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true}
	cmd.WaitDelay = time.Second
	out, talk := &bounded{limit: asUserOutput}, &bounded{limit: 4096}
	cmd.Stdout, cmd.Stderr = out, talk
	if err := cmd.Run(); err != nil {
		said := bytes.TrimPrefix(bytes.TrimSpace(talk.Bytes()), []byte("error: "))
		if len(said) == 0 {
			return fmt.Errorf("cannot run as %s: %w", u.Username, err)
		}
		return errors.New(string(said))
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("cannot read what was said as %s: %w", u.Username, err)
	}
	return nil
}

// unreadableSelf is a copy of this program that others may execute and not
// read, which the kernel makes untraceable from its first instruction on. An
// agent that traced the second process would have left its control group:
// that one lives where the administrator does.
func unreadableSelf() (*os.File, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	fd, err := unix.MemfdCreate("clauster-ctl", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	copied := os.NewFile(uintptr(fd), "clauster-ctl")
	if _, err = io.Copy(copied, self); err == nil {
		err = copied.Chmod(0o111)
	}
	if err == nil {
		// A file open for writing cannot be executed; the descriptor that is
		// left has the copy for reading only.
		var again *os.File
		if again, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
			copied.Close()
			return again, nil
		}
	}
	copied.Close()
	return nil, err
}

func credentialOf(u *osuser.User) (*syscall.Credential, error) {
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	ids, err3 := u.GroupIds()
	if err := errors.Join(err1, err2, err3); err != nil || uid == 0 {
		return nil, fmt.Errorf("cannot run as %s: its uid and groups are unknown or root's: %w", u.Username, err)
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, id := range ids {
		if g, err := strconv.ParseUint(id, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(g))
		}
	}
	return c, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// isBridgeUser reports whether the caller is the bridge user.
func (a *App) isBridgeUser(u *osuser.User) bool { return u.Uid == itoa(a.UID) }

// validProject reports whether a directory's name can be an instance's.
func validProject(name string) error { return bridge.CheckProject(name) }
