package bridge

import "strings"

// ForUser rewrites the commands in a hint for bridges of a user manager:
// clauster-ctl, systemctl and journalctl get their --user, and need no sudo. A
// text that is so already stays as it is.
func ForUser(hint string) string {
	for _, command := range [...]string{"clauster-ctl ", "systemctl ", "journalctl "} {
		hint = strings.ReplaceAll(hint, "sudo "+command, command)
		hint = strings.ReplaceAll(hint, command+"--user ", command)
		hint = strings.ReplaceAll(hint, command, command+"--user ")
	}
	return hint
}
