package ctl

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"clauster/pkg/control"

	"github.com/spf13/cobra"
)

func (a *App) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  clauster-ctl version --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return printJSON(a.Stdout, map[string]any{"version": a.Version, "go": runtime.Version(),
					"revision": revision(), "control_protocol": control.Version})
			}
			_, err := fmt.Fprintf(a.Stdout, "clauster-ctl %s\n", a.Version)
			return err
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// revision is the commit that was built, "" for a build without one.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
