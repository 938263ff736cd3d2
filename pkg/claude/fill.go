package claude

import (
	"strings"

	"clauster/pkg/bridge"
)

// asUser is how a hint runs a command as the bridge user.
const asUser = "sudo -iu USER "

// The configuration files a hint names: root's, and in user mode one's own.
const (
	rootsConfig = "/etc/clauster/clauster.toml"
	ownConfig   = "~/.config/clauster/clauster.toml"
)

// directory stands in a template for a project's path, which the gate puts in
// where it refuses the directory, and the keeper elsewhere.
const directory = "DIRECTORY"

// Fill puts an instance and a bridge user into a cause's hint and reason. An
// empty user means user mode: the reader is the bridge user, so commands lose
// their sudo.
//
// Only what stands in the table of causes is filled in. The paths, names and
// answers of claude that were joined to it are left as they are: /srv/USERS is
// a path, and CLAUSTER_INSTANCE_NAME a variable.
func Fill(c bridge.Cause, instance bridge.Instance, user string) bridge.Cause {
	return FillAt(c, instance, user, "")
}

// FillAt is Fill where the project's directory is known.
func FillAt(c bridge.Cause, instance bridge.Instance, user, dir string) bridge.Cause {
	pairs := []string{"INSTANCE", instance.String(), "PROJECT", instance.Project, "USER", user}
	if dir != "" {
		pairs = append(pairs, directory, bridge.Word(dir))
	}
	words := strings.NewReplacer(pairs...)
	fill := func(template string) string {
		if user == "" {
			template = strings.ReplaceAll(template, asUser, "")
			template = strings.ReplaceAll(template, bridge.AllowBypass(rootsConfig, "PROJECT", false), bridge.AllowBypass(ownConfig, "PROJECT", true))
		}
		return words.Replace(template)
	}
	template := CauseNamed(c.Name)
	c.Hint = fillOwn(c.Hint, template.Hint, fill)
	c.Reason = fillOwn(c.Reason, template.Reason, fill)
	return c
}

// fillOwn fills that part of a text in which is the template's: all of it, its
// beginning, or what is around the directory. Another text has no placeholders.
func fillOwn(text, template string, fill func(string) string) string {
	before, after, parted := strings.Cut(template, directory)
	switch {
	case strings.HasPrefix(template, text): // cut short, or as it is
		return fill(text)
	case template != "" && strings.HasPrefix(text, template):
		return fill(template) + text[len(template):]
	case parted && len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after):
		return fill(before) + text[len(before):len(text)-len(after)] + fill(after)
	}
	return text
}
