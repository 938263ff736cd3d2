package claude

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironIsBuiltFromNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("CLAUSTER_SESSION_SECRET", "x")
	env, dropped := Environ{Home: "/home/op", User: "op"}.Build()
	want := []string{
		"DISABLE_AUTOUPDATER=1",
		"HOME=/home/op",
		"LANG=C.UTF-8",
		"LOGNAME=op",
		"PATH=/home/op/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SHELL=/bin/sh",
		"TERM=xterm-256color",
		"USER=op",
	}
	if d := cmp.Diff(want, env); d != "" {
		t.Error(d)
	}
	if dropped != nil {
		t.Errorf("dropped %v of an empty overlay", dropped)
	}
}

func TestEnvironOverlay(t *testing.T) {
	env, dropped := Environ{
		Home: "/home/op", User: "op", Shell: "/bin/bash", Lang: "de_DE.UTF-8",
		NodeDir: "/home/op/.nvm/versions/node/v22.1.0/bin", PathAppend: []string{"/opt/go/bin", "", "/opt/x"},
		Overlay: map[string]string{
			"EDITOR": "vi", "CLAUDE_CONFIG_DIR": "/home/op/alt", "DISABLE_AUTOUPDATER": "0",
			"CLAUSTER_SESSION_SECRET": "s", "CLAUDECODE": "1", "NOTIFY_SOCKET": "@x", "HOME": "/root", "A=B": "c", "NUL": "a\x00b",
		},
	}.Build()
	for _, want := range []string{
		"PATH=/home/op/.nvm/versions/node/v22.1.0/bin:/home/op/.local/bin:" + SystemPath + ":/opt/go/bin:/opt/x",
		"EDITOR=vi", "CLAUDE_CONFIG_DIR=/home/op/alt", "DISABLE_AUTOUPDATER=0", "HOME=/home/op", "LANG=de_DE.UTF-8", "SHELL=/bin/bash",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing in\n%s", want, strings.Join(env, "\n"))
		}
	}
	if d := cmp.Diff([]string{"A=B", "CLAUDECODE", "CLAUSTER_SESSION_SECRET", "HOME", "NOTIFY_SOCKET", "NUL"}, dropped); d != "" {
		t.Error(d)
	}
}

func TestDisabling(t *testing.T) {
	got := Disabling([]string{
		"DISABLE_TELEMETRY=1", "DO_NOT_TRACK=0", "DISABLE_GROWTHBOOK=true", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=",
		"ANTHROPIC_API_KEY=k", "ANTHROPIC_BASE_URL=https://api.anthropic.com/", "DISABLE_AUTOUPDATER=1", "PATH=/bin",
		"CLAUDE_CODE_OAUTH_TOKEN=t", "CLAUDE_CODE_USE_BEDROCK=1",
	})
	want := []string{"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "DISABLE_GROWTHBOOK", "DISABLE_TELEMETRY"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := Disabling([]string{"ANTHROPIC_BASE_URL=https://api.anthropic.com.evil.example"}); len(got) != 1 {
		t.Errorf("a foreign base URL passes: %v", got)
	}
}
