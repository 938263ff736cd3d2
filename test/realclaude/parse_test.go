package realclaude

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"clauster/pkg/claude"
)

// loggedOut runs the real CLI in a fresh HOME and gives what it printed.
func loggedOut(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(Path(t), args...)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "DISABLE_AUTOUPDATER=1"}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the exit code tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestRealVersionIsParsed(t *testing.T) {
	version, cause := claude.CheckVersion(context.Background(), claude.Command(nil, ""), Path(t), "2.1.145")
	if cause.Name != "" || claude.CompareVersions(version, "2.1.145") <= 0 {
		t.Errorf("version %q, cause %+v", version, cause)
	}
	if _, cause := claude.CheckVersion(context.Background(), claude.Command(nil, ""), Path(t), "99"); cause.Name != "binary-too-old" {
		t.Errorf("min_version 99: %+v", cause)
	}
}

func TestRealAuthStatusIsParsed(t *testing.T) {
	out, _, code := loggedOut(t, "auth", "status", "--json")
	auth, err := claude.ParseAuth([]byte(out))
	if err != nil || code != 1 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if c := auth.Cause(); c.Name != "logged-out" {
		t.Errorf("%+v gives cause %+v", auth, c)
	}
}

func TestRealDoctorIsParsed(t *testing.T) {
	out, _, code := loggedOut(t, "doctor")
	d := claude.ParseDoctor([]byte(out))
	if code != 0 || d.Version == "" || d.Verdict == "" || len(d.Failed) == 0 {
		t.Errorf("exit %d: %+v\n%s", code, d, out)
	}
}

func TestRealRefusalIsClassified(t *testing.T) {
	_, errs, code := loggedOut(t, "remote-control", "--name", "x", "--spawn", "same-dir")
	c, ok := claude.Classify(errs)
	if code != 1 || !ok || c.Name != "logged-out" {
		t.Errorf("exit %d, %+v:\n%s", code, c, errs)
	}
}
