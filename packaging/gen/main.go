// Command gen writes what the packages carry besides programs: the man pages
// of clauster-ctl, made from its commands, the man page of the configuration,
// made from its table of keys, and the shell completions. It lives in the
// build, not in clauster-ctl: an administrator's tool need not know troff.
//
// Output is the same for the same source, version and date.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"clauster/pkg/config"
	"clauster/pkg/ctl"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run writes everything below the directory given by -out.
func run(args []string) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	out := flags.String("out", "build", "directory that gets man/ and completions/")
	version := flags.String("version", "0", "version in the footer of the pages")
	epoch := flags.Int64("date", 0, "date in the footer, seconds since 1970")
	if err := flags.Parse(args); err != nil {
		return err
	}
	footer := Footer{Version: *version, Date: time.Unix(*epoch, 0).UTC()}
	files, err := Files(ctl.New(*version).Command(), footer)
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(*out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("cannot make %s: %w", filepath.Dir(path), err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
	}
	return nil
}

// Files makes every generated file, by its path below the output directory.
func Files(root *cobra.Command, footer Footer) (map[string][]byte, error) {
	files, err := completions(root)
	if err != nil {
		return nil, err
	}
	for name, page := range CommandPages(root, footer) {
		files["man/"+name] = page
	}
	files["man/clauster.toml.5"] = ConfigPage(config.Keys(), footer)
	return files, nil
}
