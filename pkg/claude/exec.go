package claude

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// maxOutput bounds what a probe may print; claude doctor prints 2 KiB.
const maxOutput = 64 << 10

// Command gives a Run that executes programs as the calling user with exactly
// this environment, in dir, with nothing on standard input, in a process group
// of their own that is killed when the time is over.
func Command(env []string, dir string) Run {
	return func(ctx context.Context, path string, args ...string) ([]byte, int, error) {
		cmd := exec.CommandContext(ctx, path, args...)
		var out limitedBuffer
		cmd.Env, cmd.Dir, cmd.Stdout = env, dir, &out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second // a grandchild may hold the pipe
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return out.b.Bytes(), -1, ctx.Err()
		case errors.As(err, &exit):
			return out.b.Bytes(), exit.ExitCode(), nil
		case err != nil && !errors.Is(err, exec.ErrWaitDelay):
			return nil, -1, err
		}
		return out.b.Bytes(), 0, nil
	}
}

// limitedBuffer keeps the beginning and swallows the rest, so that the program
// is not stopped by a full pipe. The buffer is not embedded: io.Copy would find
// its ReadFrom and pass the limit by.
type limitedBuffer struct{ b bytes.Buffer }

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxOutput - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
