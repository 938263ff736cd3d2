package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"clauster/pkg/bridge"
)

// Config is the effective configuration. It is read-only once loaded and may
// be used by several goroutines. The toml tags are the names in Keys.
type Config struct {
	User         string               `toml:"user"` // the bridge user; "" in user mode
	ProjectsRoot string               `toml:"projects_root"`
	Restart      bridge.RestartPolicy `toml:"restart"`
	InstanceName string               `toml:"instance_name"`
	RootPath     string               `toml:"root_path"`
	LogLevel     string               `toml:"log_level"`

	Claude           Claude                  `toml:"claude"`
	InstanceDefaults InstanceDefaults        `toml:"instance_defaults"`
	Limits           Limits                  `toml:"limits"`
	Logs             Logs                    `toml:"logs"`
	Projects         map[string]ProjectTable `toml:"projects"`

	Auth          Auth          `toml:"auth"`
	API           APIServer     `toml:"api"`
	Observability Observability `toml:"observability"`
	Metrics       Metrics       `toml:"metrics"`
	TLS           TLS           `toml:"tls"`
	Events        Events        `toml:"events"`
	Notifications Notifications `toml:"notifications"`
	Webhooks      Webhooks      `toml:"webhooks"`

	UI            Switch        `toml:"ui"`
	Clone         Clone         `toml:"clone"`
	Reaper        Reaper        `toml:"reaper"`
	ConfigWrite   ConfigWrite   `toml:"config_write"`
	LoginShepherd LoginShepherd `toml:"login_shepherd"`
	MCP           MCP           `toml:"mcp"`
	Usage         Usage         `toml:"usage"`

	UserMode bool   // loaded for systemctl --user
	Path     string // the main file, whether it exists or not

	schema *schema
	values map[string]entry // by dotted name as TOML writes it
}

// Claude is [claude]: how the CLI is found and launched.
type Claude struct {
	Binary                  string            `toml:"binary"`
	MinVersion              string            `toml:"min_version"`
	StartupGraceSeconds     float64           `toml:"startup_grace_seconds"`
	LaunchMode              bridge.Mode       `toml:"launch_mode"`
	PathAppend              []string          `toml:"path_append"`
	Env                     map[string]string `toml:"env"` // values are secrets
	NodeFromNVM             bool              `toml:"node_from_nvm"`
	TrustOnStart            bool              `toml:"trust_on_start"`
	AutoEnableRemoteControl bool              `toml:"auto_enable_remote_control"`
	ResumeRecap             bool              `toml:"resume_recap"`
	ResumeRecapMaxChars     int               `toml:"resume_recap_max_chars"`
}

// StartupGrace is how long a bridge may take to register.
func (c Claude) StartupGrace() time.Duration {
	return time.Duration(c.StartupGraceSeconds * float64(time.Second))
}

// InstanceDefaults is [instance_defaults]: what a launch is unless asked
// otherwise. MaxBridges 0 means no limit.
type InstanceDefaults struct {
	SpawnMode         bridge.SpawnMode      `toml:"spawn_mode"`
	PermissionMode    bridge.PermissionMode `toml:"permission_mode"`
	Verbose           bool                  `toml:"verbose"`
	SessionNamePrefix string                `toml:"session_name_prefix"`
	Capacity          int                   `toml:"capacity"`
	MaxBridges        int                   `toml:"max_bridges"`
}

// Logs is [logs]: the journal's budget per bridge.
type Logs struct {
	LinesPerSecond    int  `toml:"lines_per_second"`
	Burst             int  `toml:"burst"`
	StripANSIInStream bool `toml:"strip_ansi_in_stream"`
}

// ProjectTable is [projects.NAME] as written; ForProject gives what holds.
type ProjectTable struct {
	AllowBypassPermissions bool                 `toml:"allow_bypass_permissions"`
	Restart                bridge.RestartPolicy `toml:"restart"` // "" for the general one
	Limits                                      // zero for the general ones
}

// Project is what holds for the bridges of one project.
type Project struct {
	Name                   string
	AllowBypassPermissions bool
	Restart                bridge.RestartPolicy
	Limits                 Limits
}

// ForProject gives what holds for a project; one without a table has the
// general settings.
func (c *Config) ForProject(name string) Project {
	t := c.Projects[name]
	p := Project{Name: name, AllowBypassPermissions: t.AllowBypassPermissions, Restart: t.Restart, Limits: t.Limits.over(c.Limits)}
	if p.Restart == "" {
		p.Restart = c.Restart
	}
	return p
}

// ProjectsRootFor is projects_root for a bridge user with this home.
func (c *Config) ProjectsRootFor(home string) (string, error) {
	return c.expand("projects_root", c.ProjectsRoot, home)
}

// BinaryFor is claude.binary for a bridge user with this home: an absolute
// path, or a plain name to be looked up on the bridge's PATH.
func (c *Config) BinaryFor(home string) (string, error) {
	if !strings.Contains(c.Claude.Binary, "/") {
		return c.Claude.Binary, nil
	}
	return c.expand("claude.binary", c.Claude.Binary, home)
}

// PathAppendFor is claude.path_append for a bridge user with this home.
func (c *Config) PathAppendFor(home string) ([]string, error) {
	dirs := make([]string, 0, len(c.Claude.PathAppend))
	for _, dir := range c.Claude.PathAppend {
		dir, err := c.expand("claude.path_append", dir, home)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// expand replaces a leading ~ or ~USER, USER being the bridge user, by home.
func (c *Config) expand(key, path, home string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return filepath.Clean(path), nil
	}
	if !strings.HasPrefix(home, "/") {
		return "", fmt.Errorf("cannot expand %s %q: the bridge user's home %q is not an absolute path", key, path, home)
	}
	name, rest, _ := strings.Cut(path, "/")
	if name != "~" && (c.User == "" || name != "~"+c.User) {
		return "", fmt.Errorf("cannot expand %s %q: only the bridge user's home may be named", key, path)
	}
	return filepath.Join(home, rest), nil
}
