package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// metricsCategories are those of the API.
func metricsCategories() []string { return []string{"system", "agents", "policy", "http"} }

func (a *App) metricsCommand() *cobra.Command {
	var asJSON bool
	var textfile string
	c := &cobra.Command{
		Use:   "metrics CATEGORY | metrics --textfile PATH",
		Short: "Show figures: system, agents, policy or http",
		Long: `Show the figures of a category: system (CPU, memory, disk), agents (bridges),
policy (requests judged and refused, bridges that wait for a person) or http
(requests and their latency).

With --textfile write the Prometheus page of this moment into a file for
node_exporter's textfile collector, whole or not at all. That works also while
observability.prometheus_enabled is false. clauster-textfile.timer does it every
30 seconds.`,
		Example: "  clauster-ctl metrics system\n  clauster-ctl metrics http --json | jq .latency_p99\n" +
			"  sudo clauster-ctl metrics --textfile /var/lib/prometheus/node-exporter/clauster.prom",
		ValidArgs: metricsCategories(),
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case textfile != "" && len(args) == 0:
				return nil
			case textfile != "" || len(args) != 1 || !slices.Contains(metricsCategories(), args[0]):
				return usage(c.CommandPath()+" --help", "%s takes one of %s, or --textfile", c.CommandPath(), strings.Join(metricsCategories(), ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if textfile != "" {
				return a.writeTextfile(c.Context(), textfile)
			}
			return a.metrics(c.Context(), args[0], asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().StringVar(&textfile, "textfile", "", "write the Prometheus page into `PATH`, which ends in .prom")
	return c
}

func (a *App) metrics(ctx context.Context, category string, asJSON bool) error {
	asking, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	var figures map[string]any
	if err := a.api().Call(asking, http.MethodGet, "/api/v1/metrics/"+category, nil, &figures); err != nil {
		return a.explained(ctx, err, "metrics", category)
	}
	if asJSON {
		return printJSON(a.Stdout, figures)
	}
	t := table{header: []string{"FIGURE", "VALUE"}}
	for _, row := range flatten("", figures) {
		t.add(plain(clean(row[0])), plain(clean(row[1])))
	}
	return t.write(a.Stdout, a.style())
}

// flatten lists an object's figures by name, those of objects in it with a dot.
func flatten(prefix string, object map[string]any) [][2]string {
	var rows [][2]string
	for name, value := range object {
		switch v := value.(type) {
		case map[string]any:
			rows = append(rows, flatten(prefix+name+".", v)...)
		case float64:
			rows = append(rows, [2]string{prefix + name, figure(v)})
		default:
			rows = append(rows, [2]string{prefix + name, fmt.Sprint(v)})
		}
	}
	slices.SortFunc(rows, func(x, y [2]string) int { return strings.Compare(x[0], y[0]) })
	return rows
}

func figure(v float64) string {
	if v == math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// maxPage bounds the Prometheus page: about 2.5 KB a bridge.
const maxPage = 32 << 20

// writeTextfile writes the page beside its place and renames it: node_exporter
// reads whenever it likes, and half a page is a gap in every graph. It does not
// look at files that do not end in .prom.
func (a *App) writeTextfile(ctx context.Context, path string) error {
	if filepath.Ext(path) != ".prom" {
		return usage("clauster-ctl metrics --help", "node_exporter reads only files that end in .prom, and %s does not", path)
	}
	asking, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	answer, err := a.api().Open(asking, "/api/v1/textfile")
	if err != nil {
		return a.explained(ctx, err, "metrics", "--textfile", path)
	}
	page, err := io.ReadAll(io.LimitReader(answer, maxPage+1))
	err = errors.Join(err, answer.Close())
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the page of metrics: %w", err)
	case len(page) > maxPage:
		return fmt.Errorf("cannot read the page of metrics: it is larger than %d bytes", maxPage)
	}
	return replaceFile(path, page)
}

// replaceFile puts data at path, readable by everybody: node_exporter is an
// account of its own.
func replaceFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".clauster-*.tmp")
	if errors.Is(err, fs.ErrNotExist) {
		return failed("install node_exporter, or name its directory: systemctl edit clauster-textfile.service", "cannot write %s: there is no directory %s", path, dir)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
