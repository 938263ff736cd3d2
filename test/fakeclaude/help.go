package main

// serverHelp names the flags of 2.1.330's help; the sentences are ours, the
// real one is 4,326 bytes and starts with a blank line too (claude-cli.md §3).
const serverHelp = `
Remote Control - connect your local environment to claude.ai/code

USAGE
  claude remote-control [options]
OPTIONS
  --name <name>
  --remote-control-session-name-prefix <prefix>
  -c, --continue
  --session-id <id>
  --permission-mode <mode>      acceptEdits, auto, bypassPermissions, default, dontAsk, plan
  --settings <file>
  --[no-]chrome
  -d, --debug[=<filter>]
  --debug-file <path>
  -v, --verbose
  -h, --help
  --spawn <mode>                same-dir (default), worktree, session
  --capacity <N>                default 32
  --[no-]create-session-in-dir
`

// topHelp names the options of 2.1.330 that a supervisor meets; remote-control
// is not listed by the real one either (claude-cli.md §2).
const topHelp = `Usage: claude [options] [command] [prompt]

Options:
  -c, --continue
  --debug-file <path>
  --fork-session
  -n, --name <name>
  --permission-mode <mode>      acceptEdits, auto, bypassPermissions, manual, dontAsk, plan
  -p, --print
  --remote-control [name]
  -r, --resume [value]
  --session-id <uuid>
  --settings <file-or-json>
  -v, --version
  -w, --worktree [name]

Commands:
  agents attach auth auto-mode doctor gateway import install logs mcp plugin purge respawn rm setup-token stop|kill ultrareview update|upgrade
`
