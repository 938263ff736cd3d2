package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

// deliveriesPage is how many deliveries are asked for at once where all are
// wanted: the most that the API gives.
const deliveriesPage = 1000

// printAllDeliveries writes the object of one page that held all deliveries,
// with one page at a time in memory. A first page alone made a pipeline over
// the dead ones leave the rest, without a word.
func (a *App) printAllDeliveries(ctx context.Context, q url.Values) error {
	var first wire.Deliveries
	between := "["
	q.Set("limit", strconv.Itoa(deliveriesPage))
	for n := 0; ; n++ {
		var page wire.Deliveries
		if err := a.delivery(ctx, "list", http.MethodGet, "?"+q.Encode(), &page); err != nil {
			return err
		}
		if n == 0 {
			first = wire.Deliveries{Host: page.Host, Targets: page.Targets}
			if err := writeIndented(a.Stdout, "{\n  \"host\": ", "  ", page.Host, ",\n  \"deliveries\": "); err != nil {
				return err
			}
		}
		for _, d := range page.Deliveries {
			if err := writeIndented(a.Stdout, between+"\n    ", "    ", d, ""); err != nil {
				return err
			}
			between = ","
		}
		if page.Next == "" {
			break
		}
		q.Set("before", page.Next)
	}
	end := "\n  ]"
	if between == "[" {
		end = "[]"
	}
	return writeIndented(a.Stdout, end+",\n  \"targets\": ", "  ", first.Targets, "\n}\n")
}

// writeIndented writes a value as printJSON would at a place inside another.
func writeIndented(w io.Writer, before, prefix string, v any, behind string) error {
	var b bytes.Buffer
	b.WriteString(before)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	b.WriteString(behind)
	_, err := w.Write(b.Bytes())
	return err
}

// nextDeliveries is the command line of the next page: this one's filters, and
// where it goes on.
func nextDeliveries(c *cobra.Command, before string) string {
	line := "clauster-ctl deliveries list"
	for _, name := range [...]string{"state", "channel", "target", "event", "limit"} {
		if f := c.Flags().Lookup(name); f.Changed {
			line += fmt.Sprintf(" --%s %s", name, bridge.Word(clean(f.Value.String())))
		}
	}
	if c.Flags().Changed("json") {
		line += " --json"
	}
	return line + " --before " + bridge.Word(clean(before))
}
