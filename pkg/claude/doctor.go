package claude

import (
	"strings"

	"clauster/pkg/terminal"
)

// Doctor is the part of claude doctor's answer that concerns bridges. It exits
// 0 whatever it finds, and prints every failed check of eligibility, which
// makes it the best free diagnosis.
type Doctor struct {
	Version string   // of the running claude, "" where not found
	Verdict string   // claude's sentence about Remote Control, "" where it has nothing to say
	Failed  []string // the failed checks, in claude's words
}

const maxDoctorChecks = 32

// ParseDoctor reads the standard output of claude doctor.
func ParseDoctor(stdout []byte) Doctor {
	var d Doctor
	in := false
	for line := range strings.Lines(string(terminal.Strip(stdout[:min(len(stdout), maxOutput)]))) {
		line = strings.TrimLeft(strings.TrimSpace(line), "└├│ ")
		switch {
		case strings.HasPrefix(line, "Running: "):
			_, rest, _ := strings.Cut(line, "(")
			d.Version, _ = ParseVersion(strings.TrimSuffix(rest, ")"))
		case line == "Remote Control":
			in = true
		case !in:
		case line == "":
			in = d.Verdict == "" && len(d.Failed) == 0
		case strings.HasPrefix(line, "- "):
			if len(d.Failed) < maxDoctorChecks {
				d.Failed = append(d.Failed, clip(line[len("- "):], maxFactText))
			}
		case d.Verdict == "":
			d.Verdict = clip(line, maxFactText)
		default:
			in = false
		}
	}
	return d
}
