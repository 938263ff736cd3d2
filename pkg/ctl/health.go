package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"clauster/pkg/client"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

func (a *App) healthCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Show how everything is: services, resources, bridges",
		Long: `Show how the machine, every service of Clauster and the bridges are. Where the
API does not answer, show what systemd knows: why it does not, and the bridges.

The exit code is 0 for healthy, 1 for degraded and unhealthy, 4 where the API
does not answer.`,
		Example: "  clauster-ctl health\n  clauster-ctl health --json | jq -r '.checks[] | select(.status != \"healthy\")'",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.health(c.Context(), asJSON) },
	}
	jsonFlag(c, &asJSON)
	return c
}

// apiPatience bounds a question to the API that people wait for.
const apiPatience = 5 * time.Second

func (a *App) health(ctx context.Context, asJSON bool) error {
	asking, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	h, err := a.api().Health(asking)
	var away *client.UnreachableError
	switch {
	case errors.As(err, &away) && !errors.Is(err, fs.ErrPermission):
		return a.healthWithout(ctx, err, asJSON)
	case err != nil:
		return a.explained(ctx, err, "health")
	case asJSON:
		err = printJSON(a.Stdout, h)
	default:
		err = a.printHealth(h)
	}
	if err == nil && h.Status != wire.Healthy {
		return quiet{ExitFailed}
	}
	return err
}

func (a *App) printHealth(h wire.Health) error {
	s := a.style()
	var b strings.Builder
	headline(&b, s, string(h.Status), "")
	r := h.Resources
	rows := [][2]string{
		{"CPU", percent(r.CPUPercent) + " " + grade(s, r.CPUPercent, 90)},
		{"Memory", memory(s, r)},
		{"Disk", disk(s, r)},
	}
	for _, c := range h.Checks {
		text := clean(c.Detail)
		if c.Status != wire.Healthy {
			text = paintHealth(s, c.Status) + ": " + text
		}
		if c.Hint != "" {
			text += s.dim(" — " + clean(a.commands(c.Hint)))
		}
		rows = append(rows, [2]string{title(c.Name), text})
	}
	for _, w := range h.Watchdogs {
		if w.Late {
			rows = append(rows, [2]string{"Late", fmt.Sprintf("%s: silent for %.0f s of %.0f s", clean(w.Unit), w.AgeSeconds, w.WatchdogSeconds)})
		}
	}
	rows = append(rows, [2]string{"Agents", agents(h)},
		[2]string{"API", fmt.Sprintf("%s, up for %s", clean(h.Version), span(time.Duration(h.UptimeSeconds)*time.Second))})
	writeRows(&b, rows)
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// agents sums up what bridges did. All but the first figure come from the
// database: the zeros of one that is away were once a quiet day.
func agents(h wire.Health) string {
	m := h.AgentMetrics
	active := fmt.Sprintf("%d active", m.ActiveCount)
	if h.Services["store"] == wire.Unhealthy {
		return active + ", the rest is not known without the database"
	}
	return active + fmt.Sprintf(", %s, %.1f orders a minute, %.0f%% of ends unasked", counted(m.TotalSessions, "launch", "launches"), m.InvocationsPerMinute, 100*m.ErrorRate)
}

// memory and disk say that they are unknown where they are: 0 is no figure.
func memory(s style, r wire.Resources) string {
	if r.MemoryTotalMB == 0 {
		return "not known"
	}
	return fmt.Sprintf("%d MB / %d MB %s", r.MemoryUsedMB, r.MemoryTotalMB, grade(s, 100*float64(r.MemoryUsedMB)/float64(r.MemoryTotalMB), 85))
}

func disk(s style, r wire.Resources) string {
	if r.DiskUsedPercent == 0 {
		return "not known"
	}
	return percent(r.DiskUsedPercent) + " " + grade(s, r.DiskUsedPercent, 90)
}

// headline is the word and a rule below it.
func headline(b *strings.Builder, s style, status, more string) {
	text := "System Health: " + strings.ToUpper(status)
	painted := "System Health: " + paintHealth(s, wire.HealthWord(status), strings.ToUpper(status))
	fmt.Fprintf(b, "%s%s\n%s\n", painted, more, strings.Repeat("━", utf8.RuneCountInString(text)))
}

func writeRows(b *strings.Builder, rows [][2]string) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	for _, r := range rows {
		fmt.Fprintf(b, "%-*s %s\n", width+1, r[0]+":", r[1])
	}
}

func paintHealth(s style, w wire.HealthWord, text ...string) string {
	word := string(w)
	if len(text) > 0 {
		word = text[0]
	}
	switch w {
	case wire.Healthy:
		return s.good(word)
	case wire.Unhealthy:
		return s.bad(word)
	}
	return s.warn(word)
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) + "%" }

func grade(s style, value, limit float64) string {
	if value > limit {
		return s.warn("(high)")
	}
	return "(ok)"
}

func title(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// awayHealth is what is known while the API does not answer.
type awayHealth struct {
	Status  string         `json:"status"` // unknown
	Reason  string         `json:"reason"`
	Hint    string         `json:"hint,omitempty"`
	Units   []unitState    `json:"units"`
	Bridges map[string]int `json:"bridges"` // by status
}

// unitState is one unit of ours.
type unitState struct {
	Unit   string `json:"unit"`
	Active string `json:"active"`
	Sub    string `json:"sub"`
	Result string `json:"result,omitempty"` // of a failed service
	Reason string `json:"reason,omitempty"` // its STATUS=
}

// healthWithout shows what systemd knows, and ends with the exit code of an API
// that is away.
func (a *App) healthWithout(ctx context.Context, away error, asJSON bool) error {
	h := awayHealth{Status: "unknown", Reason: clean(away.Error()), Hint: a.commands(hintOf(away)), Units: []unitState{}, Bridges: map[string]int{}}
	bus, err := a.systemd(ctx)
	if err != nil {
		return together([]error{away, err})
	}
	defer bus.Close()
	if h.Units, err = a.ownUnits(ctx, bus); err != nil {
		return err
	}
	if why := whyOfUnits(h.Units); why != "" {
		h.Reason += ": " + why
	}
	views, err := a.list(ctx)
	if err != nil {
		return err
	}
	for _, v := range views {
		h.Bridges[string(v.Status)]++
	}
	if asJSON {
		err = printJSON(a.Stdout, h)
	} else {
		err = a.printWithout(h)
	}
	if err != nil {
		return err
	}
	return quiet{ExitUnreachable}
}

func (a *App) printWithout(h awayHealth) error {
	s := a.style()
	var b strings.Builder
	headline(&b, s, h.Status, "")
	rows := [][2]string{{"API", s.bad("does not answer") + ": " + h.Reason + s.dim(" — "+h.Hint)}}
	for _, u := range h.Units {
		word := u.Active + " (" + u.Sub + ")"
		if u.Active == "failed" {
			word = s.bad(word)
		}
		rows = append(rows, [2]string{u.Unit, joined(word, u.Result, u.Reason)})
	}
	var counts []string
	for status, n := range h.Bridges {
		counts = append(counts, itoa(n)+" "+status)
	}
	slices.Sort(counts)
	rows = append(rows, [2]string{"Bridges", cmp.Or(strings.Join(counts, ", "), "none")})
	writeRows(&b, rows)
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// ownUnits are the units that make up Clauster, less the bridges.
func (a *App) ownUnits(ctx context.Context, bus Systemd) ([]unitState, error) {
	list, err := bus.ListUnits(ctx, "clauster-*.service", "clauster-*.socket", "clauster-*.timer")
	if err != nil {
		return nil, err
	}
	units := []unitState{}
	var services []string
	for _, u := range list {
		units = append(units, unitState{Unit: u.Name, Active: u.Active, Sub: u.Sub})
		if strings.HasSuffix(u.Name, ".service") {
			services = append(services, u.Name)
		}
	}
	slices.SortFunc(units, func(x, y unitState) int { return cmp.Compare(x.Unit, y.Unit) })
	facts, err := bus.Services(ctx, services)
	if err != nil {
		return nil, err
	}
	for i, u := range units {
		if f, ok := facts[u.Unit]; ok {
			if u.Active != "inactive" { // what it said before it was stopped is no reason
				units[i].Reason = clean(f.StatusText)
			}
			if f.Result != "success" {
				units[i].Result = clean(f.Result)
			}
			if f.ExitCode > 0 {
				units[i].Result = joined(units[i].Result, "exit code "+itoa(f.ExitCode))
			}
		}
	}
	return units, nil
}
