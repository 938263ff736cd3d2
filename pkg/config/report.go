package config

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Finding is one fault or warning. Value is safe to print: cut to a few dozen
// bytes, and "(hidden)" for a secret.
type Finding struct {
	File  string `json:"file"`            // path, "environment VARIABLE" or "credential NAME"
	Line  int    `json:"line,omitempty"`  // 0 where there is none
	Key   string `json:"key,omitempty"`   // dotted, as TOML writes it
	Value string `json:"value,omitempty"` // as TOML writes it
	Rule  string `json:"rule"`            // the rule that is broken, or what is odd
	Hint  string `json:"hint,omitempty"`  // what to write or run
	Err   error  `json:"-"`               // the system's error, for errors.Is
}

// String gives FILE:LINE: KEY = VALUE: RULE, with what there is of it.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key)
		if f.Value != "" {
			b.WriteString(" = " + f.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Rule)
	return b.String()
}

// Report is everything Load found: faults forbid the use of the
// configuration, warnings do not.
type Report struct {
	Files    []string  `json:"files"` // read, in order
	Faults   []Finding `json:"faults"`
	Warnings []Finding `json:"warnings"`
	Omitted  int       `json:"omitted,omitempty"` // findings beyond maxFindings
}

// maxFindings bounds each list of a report.
const maxFindings = 200

// Err is nil without faults, else a *FaultError.
func (r *Report) Err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return &FaultError{Faults: r.Faults}
}

// FaultError says that a configuration cannot be used.
type FaultError struct{ Faults []Finding }

func (e *FaultError) Error() string {
	first := e.Faults[0].String()
	if n := len(e.Faults) - 1; n > 0 {
		return fmt.Sprintf("cannot use the configuration: %s (and %d more: clauster-ctl config check)", first, n)
	}
	return "cannot use the configuration: " + first
}

// Hint is the first fault's hint, else the command that shows all faults: not
// of what only the program that found them sees.
func (e *FaultError) Hint() string {
	first := e.Faults[0]
	hint := "clauster-ctl config check"
	switch {
	case strings.HasPrefix(first.File, environmentPrefix), strings.HasPrefix(first.File, credentialWord):
		hint = "correct it where it is set: systemctl cat clauster-api.service clauster@.service shows the variables and credentials of units"
	case strings.HasSuffix(first.File, "_FILE)"):
		hint = "correct the file, or the variable that names it"
	}
	return cmp.Or(first.Hint, hint)
}

// What a Finding's File begins with for a variable and for a credential.
const (
	environmentPrefix = "environment "
	credentialWord    = "credential "
)

// Unwrap gives the system's errors behind the faults, such as
// fs.ErrPermission.
func (e *FaultError) Unwrap() []error {
	var errs []error
	for _, f := range e.Faults {
		if f.Err != nil {
			errs = append(errs, f.Err)
		}
	}
	return errs
}

func (r *Report) fault(f Finding) { r.add(&r.Faults, f) }
func (r *Report) warn(f Finding)  { r.add(&r.Warnings, f) }

func (r *Report) add(list *[]Finding, f Finding) {
	if len(*list) >= maxFindings {
		r.Omitted++
		return
	}
	// Names come from files and the environment: nothing of them may reach a
	// terminal as a control sequence.
	for _, text := range []*string{&f.File, &f.Key, &f.Rule, &f.Hint} {
		*text = printable(*text)
	}
	*list = append(*list, f)
}

// printable escapes what does not print.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	return b.String()
}

// hidden stands for the value of a secret.
const hidden = "(hidden)"

// shown renders a raw value for a message: the secret is hidden, the long is
// cut, the unprintable is escaped.
func shown(k *Key, raw any) string {
	if k == nil || k.Secret {
		return hidden
	}
	s, isText := raw.(string)
	if !isText {
		s = fmt.Sprint(raw)
	}
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if isText {
		return quote(s)
	}
	return printable(s)
}
