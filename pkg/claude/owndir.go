package claude

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ownDirectory gives the path, with all links resolved, of a project that is a
// directory of its own. The last component may not be a link, as at a start:
// whoever says that a project is trusted means that directory, and an agent
// could make the name a link to the whole home. The path is that of the open
// directory, so that nothing can be swapped between the look and the answer.
func ownDirectory(project string) (string, error) {
	fd, err := unix.Open(filepath.Clean(project), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return "", fmt.Errorf("cannot trust %s: %s", project, CauseNamed("project-outside").Reason)
	case err != nil:
		return "", cannot("open project", project, err)
	}
	defer unix.Close(fd)
	link := "/proc/self/fd/" + strconv.Itoa(fd)
	path, err := os.Readlink(link)
	if err != nil {
		return "", cannot("find the path of", project, err)
	}
	// The kernel marks the path of a removed directory: it names nothing then.
	opened, err1 := os.Stat(link)
	named, err2 := os.Lstat(path)
	if err := errors.Join(err1, err2); err != nil || !os.SameFile(opened, named) {
		return "", fmt.Errorf("cannot trust %s: it was moved away just now", project)
	}
	return path, nil
}
