package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// storeWord is `store check [--json]`: whether the database can be used, by
// reading all of it.
func storeWord(ctx context.Context, w world, args []string) error {
	var asJSON bool
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&asJSON, "json", false, "")
	words, err := parseMixed(flags, args)
	if err != nil || len(words) != 1 || words[0] != "check" {
		return &exitError{exitUsage, fmt.Errorf("cannot understand store %s: it wants check", strings.Join(args, " ")), "clauster-ctl store --help"}
	}
	path := w.databasePath()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return &exitError{exitUnreachable, fmt.Errorf("cannot check the database: there is no %s yet", path), w.commands("systemctl restart clauster-api # makes it")}
	}
	r, err := store.Check(ctx, path)
	if err != nil {
		return &exitError{exitUnreachable, err, w.commands(hintOf(err))}
	}
	r.Hint = w.commands(r.Hint)
	if asJSON {
		enc := json.NewEncoder(w.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(r)
	} else {
		err = printCheck(w.stdout, r)
	}
	if err != nil {
		return err
	}
	if !r.OK {
		return &exitError{exitFailed, fmt.Errorf("cannot use the database %s: %s", r.Path, countFindings(r.Findings)), r.Hint}
	}
	return nil
}

// commands makes the commands of a hint those of the manager that is meant.
func (w world) commands(hint string) string {
	if w.userMode {
		return bridge.ForUser(hint)
	}
	return hint
}

// hintOf is the way back that an error carries.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	var refused *wire.Problem // of the API that runs
	if errors.As(err, &refused) {
		return refused.Hint
	}
	return ""
}

func countFindings(all []string) string {
	if len(all) == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", len(all))
}

func printCheck(to io.Writer, r store.Report) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("database", "%s", r.Path)
	line("version", "%d (this program knows %d)", r.Version, r.Known)
	line("size", "%d bytes, %d of them free, %d in the log of writes", r.Bytes, r.FreeBytes, r.WALBytes)
	for _, p := range []struct {
		name string
		at   wire.Time
	}{{"made", r.Created}, {"oldest event", r.Oldest}, {"newest event", r.Newest}, {"journal read to", r.Position}} {
		if !p.at.IsZero() {
			line(p.name, "%s", p.at.Format(time.RFC3339))
		}
	}
	var tables []string
	for name := range r.Rows {
		tables = append(tables, name)
	}
	slices.Sort(tables)
	for _, name := range tables {
		line("rows of "+name, "%d", r.Rows[name])
	}
	for _, s := range r.Snapshots {
		line("snapshot", "%s (%d bytes)", s.Path, s.Bytes)
	}
	for _, f := range r.Findings {
		line("finding", "%s", f)
	}
	if r.OK {
		line("integrity", "ok")
	}
	return t.Flush()
}
