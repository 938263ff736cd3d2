package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// Footer is what stands at the bottom of every page.
type Footer struct {
	Version string
	Date    time.Time
}

// page collects one man page in man(7) macros.
type page struct {
	bytes.Buffer
}

// newPage begins a page; about is the sentence behind the name.
func newPage(name string, section int, about string, footer Footer) *page {
	p := &page{}
	fmt.Fprintf(p, ".TH %s %d %s %s %s\n", quote(strings.ToUpper(name)), section,
		quote(footer.Date.Format("2006-01-02")), quote("clauster "+footer.Version), quote("Clauster"))
	// Hyphens at line ends would be copied into commands.
	p.WriteString(".nh\n.ad l\n")
	p.section("NAME")
	fmt.Fprintf(p, "%s \\- %s\n", escape(name), escape(about))
	return p
}

func (p *page) section(title string) { fmt.Fprintf(p, ".SH %s\n", quote(title)) }

// text writes paragraphs; a line that begins with white space is kept as it
// stands, as an example is.
func (p *page) text(s string) {
	verbatim, blank := false, false
	for _, line := range strings.Split(strings.Trim(s, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			blank = true
			continue
		}
		example := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case example && !verbatim:
			p.WriteString(".PP\n.RS 4\n.nf\n")
		case !example && verbatim:
			p.WriteString(".fi\n.RE\n.PP\n")
		case blank && example:
			p.WriteString("\n")
		case blank:
			p.WriteString(".PP\n")
		}
		verbatim, blank = example, false
		if example {
			line = strings.TrimPrefix(line, "  ")
		}
		p.line(strings.TrimRight(line, " "))
	}
	if verbatim {
		p.WriteString(".fi\n.RE\n")
	}
}

// line writes one line of text, safe from being read as a macro.
func (p *page) line(s string) {
	s = escape(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	p.WriteString(s + "\n")
}

// item writes a term in bold and its explanation.
func (p *page) item(term, text string) {
	fmt.Fprintf(p, ".TP\n.B %s\n", quote(term))
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		p.line(strings.TrimSpace(line))
	}
}

// see writes the last section.
func (p *page) see(pages ...string) {
	p.section("SEE ALSO")
	for i, name := range pages {
		base, section, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		fmt.Fprintf(p, ".BR %s (%s)%s\n", escape(base), section, end)
	}
}

// escape makes a text literal: backslashes, and hyphens that must stay
// hyphens when copied.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s)
}

// quote makes a text one argument of a macro.
func quote(s string) string {
	return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"`
}
