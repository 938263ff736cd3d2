package claude

import "strings"

// prompts lists the questions with which claude waits for a person, by the
// name of their cause, the particular before the general. Each text is one
// that stands on a single line of the dialog.
func prompts() []struct {
	name  string
	texts []string
} {
	return []struct {
		name  string
		texts []string
	}{
		{"prompt-trust", []string{"Is this a project you created or one you trust", "Do you trust the files in this folder", "Trust this folder?", "Yes, I trust this folder"}},
		{"prompt-consent", []string{"Enable Remote Control? (y/n)", "Take this session with you"}},
		{"prompt-spawn", []string{"Spawn mode for this project", "Choose [1/2]"}},
		{"prompt-mcp", []string{"New MCP server found in", "New MCP servers found in", "new MCP servers found in", "Use this and all future MCP servers in this project"}},
		{"prompt-login", []string{"Select login method", "Paste code here if prompted"}},
		{"prompt-setup", []string{"Choose the text style that looks best"}},
		{"prompt-bypass", []string{"running in Bypass Permissions mode"}},
		{"prompt-permission", []string{"Do you want to proceed?", "Do you want to make this edit", "Do you want to create "}},
		{"prompt", []string{"Enter to confirm"}},
	}
}

// promptTexts gives the texts of one prompt.
func promptTexts(name string) []string {
	for _, p := range prompts() {
		if p.name == name {
			return p.texts
		}
	}
	return nil
}

// promptOf names the prompt a line of the screen belongs to, "" for none.
// Every text begins with one of few letters, which keeps it cheap: it runs for
// every line of the terminal.
func promptOf(line string) string {
	if len(line) > 300 || !strings.ContainsAny(line, "IDYETSCNnUP") {
		return ""
	}
	for _, p := range prompts() {
		for _, t := range p.texts {
			if strings.Contains(line, t) {
				return p.name
			}
		}
	}
	return ""
}
