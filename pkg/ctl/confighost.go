package ctl

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"clauster/pkg/account"
	"clauster/pkg/bridge"
	"clauster/pkg/config"
)

// judgeHost warns of a configuration without a fault that this host does not
// fit, so that every start would fail: account, directory and program may still
// be made. It says nothing of what the caller may not look at.
func (a *App) judgeHost(cfg *config.Config) {
	if !a.userMode {
		a.judgeModes()
	}
	u, err := a.bridgeUser(cfg)
	switch {
	case err != nil && cfg.User == "":
		a.oddity(cfg, "user", "it is not set: no bridge starts", `add this line: user = "YOUR-LOGIN"`)
		return
	case err != nil:
		a.oddity(cfg, "user", "no such user on this host: no bridge starts", "useradd -m "+bridge.Word(cfg.User)+", or name another account")
		return
	}
	if !a.userMode {
		if _, _, err := account.Judge(u); err != nil {
			a.oddity(cfg, "user", err.Error()+": no bridge starts", "name an account of its own for the bridges")
		}
	}
	if root, err := cfg.ProjectsRootFor(u.HomeDir); err == nil {
		a.judgePlace(cfg, "projects_root", root, true, "sudo install -d -o "+u.Username+" "+bridge.Word(root))
	}
	if binary, err := cfg.BinaryFor(u.HomeDir); err == nil && strings.HasPrefix(binary, "/") {
		a.judgePlace(cfg, "claude.binary", binary, false, "install Claude Code there, or set binary to where it is")
	}
}

// judgePlace looks whether something is there, and of the right kind.
func (a *App) judgePlace(cfg *config.Config, key, path string, dir bool, hint string) {
	info, err := os.Stat(a.path(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.oddity(cfg, key, "there is no "+path+": no bridge starts", hint)
	case err != nil: // not for these eyes
	case info.IsDir() != dir:
		a.oddity(cfg, key, path+" is the wrong kind of file: no bridge starts", hint)
	}
}

// judgeModes warns of files that agents can read: they hold hashes and URLs.
func (a *App) judgeModes() {
	for _, file := range a.report.Files {
		path := file
		if a.configPath == "" {
			path = a.path(file)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
			a.report.Warnings = append(a.report.Warnings, config.Finding{File: file, Rule: "every account of this host can read it, agents too",
				Hint: "chown root:" + apiGroup + " " + bridge.Word(file) + " && chmod 0640 " + bridge.Word(file)})
		}
	}
}

// oddity adds a warning about a setting, with where it comes from.
func (a *App) oddity(cfg *config.Config, key, rule, hint string) {
	f := config.Finding{File: cfg.Path, Key: key, Rule: rule, Hint: hint}
	for _, s := range cfg.Effective() {
		if s.Key == key {
			f.Value = s.Text
			if s.Origin.Kind != config.FromDefault {
				f.File = s.Origin.Name
			}
		}
	}
	a.report.Warnings = append(a.report.Warnings, f)
}
