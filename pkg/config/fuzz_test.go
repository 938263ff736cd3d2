package config

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

// FuzzLoad: no input makes Load panic or leaves a fault without its file and
// rule; what loads can be shown, hashed and asked for any project.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(bareFile()), "2G")
	f.Add([]byte("user = \"ops\"\n[projects.\"a.b\"]\nmemory_max = 1\n[[projects]]\n"), "")
	f.Add([]byte("claude = 1\nprojects = []\nwebhooks.events = {spawn = 1}\nhost = 1979-05-27"), "\xff")
	f.Add([]byte("limits = {memory_max = \"1E\", cpu_quota = \"1%\"}\n\"\" = 1\n\"a\\u0000\" = nan"), "infinity")
	f.Fuzz(func(t *testing.T, file []byte, value string) {
		if len(file) > 4096 {
			t.Skip()
		}
		m := fstest.MapFS{
			"etc/clauster/clauster.toml":           {Data: file},
			"c/clauster.limits.memory_max":         {Data: []byte(value)},
			"etc/clauster/clauster.toml.d/10.toml": {Data: []byte("user = \"ops\"\n")},
		}
		c, r := Load(Source{FS: m, CredentialsDir: "/c", Environ: []string{"CLAUSTER_LIMITS_CPU_QUOTA=" + value, "CLAUSTER_" + value}})
		for _, found := range append(r.Faults, r.Warnings...) {
			if found.File == "" || found.Rule == "" {
				t.Errorf("%+v", found)
			}
			if strings.ContainsFunc(found.String()+found.Hint, unicode.IsControl) {
				t.Errorf("%q holds control characters", found.String())
			}
		}
		if _, err := json.Marshal(c.Effective()); err != nil {
			t.Error(err)
		}
		c.BridgeHash("blog")
		for name := range c.Projects {
			c.ForProject(name)
		}
		if r.Err() == nil {
			if root, err := c.ProjectsRootFor("/home/ops"); err != nil || !strings.HasPrefix(root, "/") {
				t.Errorf("projects root %q, %v", root, err)
			}
		}
	})
}

// bareFile is the shipped file without its comments.
func bareFile() string {
	var b strings.Builder
	for _, line := range strings.Split(uncommented(defaultFile()), "\n") {
		if line != "" && line[0] != '#' {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
