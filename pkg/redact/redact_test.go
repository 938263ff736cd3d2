package redact

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestString(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a plain line, with nothing in it", "a plain line, with nothing in it"},
		{"words with underscores", "my_env_path session_id user_session_started task-management-framework-2", "my_env_path session_id user_session_started task-management-framework-2"},
		{"environment", "environment_id=env_01HelloWorld0000000000AA ok", "environment_id=env_<redacted> ok"},
		{"session", "Created initial session session_01HelloSession00000000BB", "Created initial session session_<redacted>"},
		{"work", ".claude/worktrees/bridge-cse_01HelloSession00000000BB/x", ".claude/worktrees/bridge-cse_<redacted>/x"},
		{"glued", "xxenv_01HelloWorld0000000000AA_cse_01HelloSession00000000BB", "xxenv_<redacted>_cse_<redacted>"},
		{"short is no id", "env_abc", "env_abc"},
		{"UUID", "bridgeId=7d4df7a3-0000-4000-8000-0123456789ab.", "bridgeId=<redacted>."},
		{"UUID in capitals, glued", "x7D4DF7A3-0000-4000-8000-0123456789ABy", "x<redacted>y"},
		{"id over a UUID", "cse_7d4df7a3-0000-4000-8000-0123456789ab", "cse_<redacted>"},
		{"link", "or https://claude.ai/code?environment=env_01HelloWorld0000000000AA now", "or https://claude.ai/code?<redacted> now"},
		{"session link", `"https://claude.ai/code/session_01HelloSession00000000BB?from=cli"`, `"https://claude.ai/code/<redacted>"`},
		{"login link", "https://claude.ai/oauth/authorize?code=true&state=x", "https://claude.ai/oauth/<redacted>"},
		{"harmless links", "https://claude.ai/code https://claude.ai/install.sh https://code.claude.com/docs/en/remote-control", "https://claude.ai/code https://claude.ai/install.sh https://code.claude.com/docs/en/remote-control"},
		{"escapes inside", "env_01Hello\x1b[31mWorld0000000000AA\x1b[0m", "env_<redacted>"},
		{"escape before", "x\x1b[0menv_01HelloWorld0000000000AA", "xenv_<redacted>"},
		{"zero width inside", "se\u200bssion_01Hel\u00adloSession00000000BB", "session_<redacted>"},
		{"bidi", "a\u202ebc\u2066d", "abcd"},
		{"GitHub", "ghp_0123456789abcdefghijABCDEFGHIJ012345 github_pat_0123456789_abcdefghij", "ghp_<redacted> github_pat_<redacted>"},
		{"GitLab", "glpat-0123456789_abcdefghij", "glpat-<redacted>"},
		{"AWS", "AKIAIOSFODNN7EXAMPLE AKIAshort", "AKIA<redacted> AKIAshort"},
		{"Anthropic", "sk-ant-oat01-0123456789abcdef", "sk-<redacted>"},
		{"OpenAI", "key=sk-0123456789abcdef0123", "key=sk-<redacted>"},
		{"Slack", "xoxb-0123456789-abc", "xoxb-<redacted>"},
		{"ours", "clauster_pat_0123456789abcdef clauster_metrics_0123456789abcdef", "clauster_pat_<redacted> clauster_metrics_<redacted>"},
		{"Bearer", "Authorization: Bearer abc.def-ghi_jkl/mno=, bearer short", "Authorization: Bearer <redacted>, bearer short"},
		{"JWT", "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl end", "token <redacted> end"},
		{"escaped in JSON", `{\"id\":\"session_01HelloSession00000000BB\"}`, `{\"id\":\"session_<redacted>\"}`},
		{"UTF-8 stays", "größe 日本 ✔", "größe 日本 ✔"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := String(tt.in)
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if again := String(got); again != got {
				t.Errorf("once more: %q", again)
			}
		})
	}
}

func TestRef(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	a, b := Ref(key, "session_01HelloSession00000000BB"), Ref(key, "cse_01HelloSession00000000BB")
	if a != b || len(a) != 16 {
		t.Errorf("two names of one session: %q and %q", a, b)
	}
	if a == Ref(key, "cse_01Other") || a == Ref(key[1:], "cse_01HelloSession00000000BB") || Ref(key, "") != "" {
		t.Error("refs do not tell sessions or keys apart")
	}
}

// The shapes again, as expressions: what must not be left.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`(?:^|[^0-9A-Za-z_])(?:env|session|cse)_[0-9A-Za-z]{6,}`),
	regexp.MustCompile(`(?:env|session|cse)_[A-Za-z]{0,5}[0-9][0-9A-Za-z]{5,}`),
	regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`),
	regexp.MustCompile(`gh[pousr]_[0-9A-Za-z_-]{16}|github_pat_[0-9A-Za-z_-]{16}|glpat-[0-9A-Za-z_-]{16}|clauster_pat_[0-9A-Za-z_-]{16}`),
	regexp.MustCompile(`A[KS]IA[0-9A-Z]{16}`),
	regexp.MustCompile(`(?:^|[^0-9A-Za-z_])sk-[0-9A-Za-z_-]{16}|xox[baprse]-[0-9A-Za-z_-]{10}`),
	regexp.MustCompile(`claude\.ai/code[/?][0-9A-Za-z]`),
	regexp.MustCompile(`eyJ[0-9A-Za-z_-]{7,}\.[0-9A-Za-z_-]{8,}`),
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{
		"env_01HelloWorld0000000000AA", "session_01HelloSession00000000BB cse_abcdef", "7d4df7a3-0000-4000-8000-0123456789ab",
		"https://claude.ai/code?environment=env_01Hello0", "Bearer 0123456789ab", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x",
		"AKIAIOSFODNN7EXAMPLE", "sk-0123456789abcdef0123", "se\u200bssion_01Hello0", "env_\x1b[1m01Hello\x1b[0m0", "\xffenv_\xc2\x9b1m01Hello0",
		"github_pat_ghp_0123456789abcdef", "cse_cse_cse_abcdef1", "env_session_abcdef",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out := Bytes(in)
		if !bytes.Equal(in, before) {
			t.Fatalf("%q was written to", before)
		}
		if string(out) != String(string(in)) {
			t.Fatalf("Bytes gives %q, String %q", out, String(string(in)))
		}
		if !utf8.Valid(out) || bytes.ContainsAny(out, "\x1b\x07\r\x00\x7f") {
			t.Fatalf("%q gives %q", in, out)
		}
		for _, re := range shapes {
			if found := re.Find(out); found != nil {
				t.Fatalf("%q gives %q: %q is left", in, out, found)
			}
		}
		if again := Bytes(bytes.Clone(out)); !bytes.Equal(again, out) {
			t.Fatalf("%q gives %q, and once more %q", in, out, again)
		}
	})
}

func BenchmarkString(b *testing.B) {
	for name, line := range map[string]string{
		"plain": strings.Repeat("plugin chatter of ordinary length ", 4),
		"debug": "2026-11-21T19:01:39.103Z [DEBUG] settings-load completed in 1ms for /home/op/projects/hello with my_env ok",
		"ids":   "[bridge:api] POST /v1/environments/bridge -> 200 environment_id=env_01HelloWorld0000000000AA session_01HelloSession00000000BB",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				String(line)
			}
		})
	}
}
