package bridge

import (
	"strings"
	"unicode"
)

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

// Word makes a text one word of a command line for a person's shell. It uses no
// backslash: systemd takes those out of a unit's status text.
func Word(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/_.-+,:@%", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'"
}

// AllowBypass is the command that lets a project use bypassPermissions: a
// drop-in beside the configuration file, of one line, so that nothing has to be
// put in its right place in a file that has tables already.
func AllowBypass(config, project string, userMode bool) string {
	install := "sudo install -D -m 0640 -g clauster"
	if userMode {
		install = "install -D -m 0600"
	}
	home := ""
	if rest, ok := strings.CutPrefix(config, "~/"); ok { // for the shell to find
		home, config = "~/", rest
	}
	return "echo 'projects.\"" + project + "\".allow_bypass_permissions = true' | " + install + " /dev/stdin " + home + Word(config+".d/bypass-"+project+".toml")
}
