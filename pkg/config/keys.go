package config

import "clauster/pkg/bridge"

// Keys is the table of all keys, in the order of the documentation.
func Keys() []Key {
	var keys []Key
	for _, part := range [][]Key{generalKeys(), claudeKeys(), defaultsKeys(), limitKeys(), logKeys(), projectKeys(),
		authKeys(), apiKeys(), eventKeys(), notifyKeys(), pageKeys()} {
		keys = append(keys, part...)
	}
	return keys
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

func generalKeys() []Key {
	return []Key{
		{Name: "user", Kind: String, Default: "", Unset: "required in system mode; the own user in user mode", Example: `"ops"`, Surface: Keeper, Bridge: true, Ours: true,
			Rule: "the name of a user other than root", check: checkUser,
			Doc: "The bridge user: every bridge runs as this user, with this user's claude login. Never root, never a member of group clauster."},
		{Name: "projects_root", Kind: String, Default: "~/projects", Surface: Keeper, Bridge: true,
			Rule: "an absolute path, or one that begins with ~/ or ~USER/ (the bridge user's home)", check: checkHomePath,
			Doc: "The directory whose subdirectories are the projects."},
		{Name: "restart", Kind: Enum, Default: string(bridge.RestartOnCrash), Values: words(bridge.RestartPolicies()), Surface: Keeper, Ours: true,
			Doc: "Whether a crashed bridge is started again (with a growing delay and a crash budget). A project can say otherwise."},
		{Name: "instance_name", Kind: String, Default: "", Unset: "the host name", Example: `"build-host"`, Surface: API,
			Rule: "at most 32 letters, digits, _ . and -", check: checkInstanceName,
			Doc: "The name this host shows on pages and in notifications."},
		{Name: "root_path", Kind: String, Default: "", Unset: "served at /", Example: `"/clauster"`, Surface: API,
			Rule: "a path such as \"/clauster\", without a slash at its end", check: checkRootPath,
			Doc: "The path under which a reverse proxy serves the web socket: the session cookie is for it, and addresses in answers begin with it. The proxy takes it off: /clauster/healthz has to reach the socket as /healthz."},
		{Name: "log_level", Kind: Enum, Default: "info", Values: []string{"debug", "info", "warning", "error"}, Surface: Keeper,
			Doc: "The least severe message of Clauster's own that reaches the journal. Events and the bridge's lines are not messages: they always do."},
	}
}

func claudeKeys() []Key {
	return []Key{
		{Name: "claude.binary", Kind: String, Default: "claude", Surface: Keeper, Bridge: true,
			Rule: "a name looked up on the bridge's PATH, or a path that is absolute or begins with ~/", check: checkBinary,
			Doc: "The claude executable."},
		{Name: "claude.min_version", Kind: String, Default: "2.1.145", Surface: Keeper, Bridge: true,
			Rule: "numbers separated by dots", check: checkVersion,
			Doc: "The oldest claude that is started. An older one is refused with the line that installs a newer one."},
		{Name: "claude.startup_grace_seconds", Kind: Float, Default: 60.0, Max: 86400, Above: true, Surface: Keeper, Bridge: true,
			Doc: "How long a bridge may take to register before its start counts as failed."},
		{Name: "claude.launch_mode", Kind: Enum, Default: string(bridge.Standard), Values: words(bridge.Modes()), Surface: Keeper, Bridge: true,
			Doc: "How a start that chooses no mode launches: standard (claude remote-control, many sessions) or pty (claude --remote-control, one interactive session). A resume, clauster-ctl restart and what comes back after a crash or a boot keep the recorded mode."},
		{Name: "claude.path_append", Kind: List, Default: []string{}, Surface: Keeper, Bridge: true,
			Rule: "a list of paths that are absolute or begin with ~/", check: checkPathAppend,
			Doc: "Directories appended to the bridge's PATH, after ~/.local/bin and the system's."},
		{Name: "claude.env.NAME", Kind: String, Default: "", Unset: "none", Example: `"value"`, Surface: Keeper, Bridge: true, Secret: true, NoEnv: true,
			Doc: "Environment variables of the bridge, one key each. Their values may be keys of services and are never shown."},
		{Name: "claude.node_from_nvm", Kind: Bool, Default: true, Surface: Keeper, Bridge: true,
			Doc: "Put nvm's default node first on the bridge's PATH, where the bridge user has one."},
		{Name: "claude.trust_on_start", Kind: Bool, Default: false, Surface: Keeper, Bridge: true, Ours: true,
			Doc: "Grant claude's workspace trust to a project when its bridge starts, as clauster-ctl start --trust does. The agent then obeys the project's own settings and hooks: only for directories whose content you trust."},
		{Name: "claude.auto_enable_remote_control", Kind: Bool, Default: true, Surface: Keeper, Bridge: true,
			Doc: "Give claude's one-time consent to Remote Control (hasUsedRemoteControl, remoteDialogSeen in ~/.claude.json) before a start; without it a fresh bridge waits at a question nobody sees."},
		{Name: "claude.resume_recap", Kind: Bool, Default: false, Surface: Later,
			Doc: "Hand a resumed standard bridge a summary of its last conversation through a SessionStart hook."},
		{Name: "claude.resume_recap_max_chars", Kind: Int, Default: int64(8000), Min: 500, Surface: Later,
			Doc: "The longest such summary, in characters."},
	}
}

func defaultsKeys() []Key {
	return []Key{
		{Name: "instance_defaults.spawn_mode", Kind: Enum, Default: string(bridge.SameDir), Values: words(bridge.SpawnModes()), Surface: Keeper, Bridge: true,
			Doc: "Where the sessions of a bridge work: in the project, in git worktrees of it, or as one single-shot session."},
		{Name: "instance_defaults.permission_mode", Kind: Enum, Default: string(bridge.PermDefault), Values: words(bridge.PermissionModes()), Surface: Keeper, Bridge: true,
			Doc: "What claude may do unasked. inherit passes no flag and lets claude's own settings decide; bypassPermissions needs allow_bypass_permissions of the project, with inherit too."},
		{Name: "instance_defaults.verbose", Kind: Bool, Default: false, Surface: Keeper, Bridge: true,
			Doc: "Pass --verbose (standard mode only)."},
		{Name: "instance_defaults.session_name_prefix", Kind: String, Default: "", Unset: "claude's own", Example: `"build-host"`, Surface: Keeper, Bridge: true,
			Rule: "printable text of at most 128 bytes that does not begin with -", check: checkDisplayName,
			Doc: "The prefix of the names of sessions in a standard bridge."},
		{Name: "instance_defaults.capacity", Kind: Int, Default: int64(32), Min: 1, Max: 1024, Surface: Keeper, Bridge: true,
			Doc: "How many sessions one standard bridge takes."},
		{Name: "instance_defaults.max_bridges", Kind: Int, Default: int64(0), Min: 1, Unset: "no limit", Example: `20`, Surface: Ctl,
			Doc: "How many bridges may live on this host at once. clauster-ctl and the API refuse a start beyond it; systemctl start does not ask them."},
	}
}

// limitKeys are the limits of all bridges.
func limitKeys() []Key { return limitTable("limits.", "") }

// limitTable is the set of limit keys under a prefix.
func limitTable(prefix, instead string) []Key {
	unset, override := "no limit of ours", ""
	if instead != "" {
		unset, override = instead, " Overrides [limits]."
	}
	noEnv := instead != ""
	key := func(name string, kind Kind, example, doc string) Key {
		u := unset
		if kind == Weight && !noEnv {
			u = "the system's (100)"
		}
		return Key{Name: prefix + name, Kind: kind, Default: uint64(0), Unset: u, Surface: Keeper, Bridge: true, Ours: true, NoEnv: noEnv, Example: example, Doc: doc + override}
	}
	return []Key{
		key("memory_max", Size, `"4G"`, "Memory a bridge may use; beyond it the kernel kills in the bridge's scope (MemoryMax=)."),
		key("memory_high", Size, `"3G"`, "Memory beyond which a bridge is slowed and its memory reclaimed (MemoryHigh=)."),
		key("cpu_quota", Quota, `"200%"`, "CPU time a bridge may use, of one CPU: 200% is two CPUs (CPUQuota=)."),
		key("cpu_weight", Weight, `50`, "Share of the CPU when it is contended (CPUWeight=)."),
		key("io_weight", Weight, `50`, "Share of the disk when it is contended (IOWeight=)."),
		key("tasks_max", Tasks, `2000`, "Processes and threads a bridge may have (TasksMax=)."),
	}
}

func logKeys() []Key {
	return []Key{
		{Name: "logs.lines_per_second", Kind: Int, Default: int64(200), Min: 1, Max: 100000, Surface: Keeper, Bridge: true, Ours: true,
			Doc: "Lines of one bridge that reach the journal per second. What is dropped is counted and said; markers and events are never dropped."},
		{Name: "logs.burst", Kind: Int, Default: int64(2000), Min: 1, Max: 1000000, Surface: Keeper, Bridge: true, Ours: true,
			Doc: "Lines that may come at once before lines_per_second holds."},
		{Name: "logs.strip_ansi_in_stream", Kind: Bool, Default: true, Surface: API,
			Doc: "Take escape sequences out of log streams of the API. What is in the journal has none in any case."},
	}
}

func projectKeys() []Key {
	return append([]Key{
		{Name: "projects.NAME.allow_bypass_permissions", Kind: Bool, Default: false, Surface: Keeper, Bridge: true, NoEnv: true,
			Doc: "The ceiling: without it no bridge of this project runs with bypassPermissions, whoever asks. Checked at every start and resume."},
		{Name: "projects.NAME.restart", Kind: Enum, Default: "", Unset: "restart", Example: `"never"`, Values: words(bridge.RestartPolicies()), Surface: Keeper, NoEnv: true, Ours: true,
			Doc: "The restart policy of this project's bridges."},
	}, limitTable("projects.NAME.", "as in [limits]")...)
}
