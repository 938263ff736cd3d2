package ctl

import (
	"strings"

	"clauster/pkg/bridge"
)

// resolve finds the known instance that a name means: the instance of that
// name, else the only instance of the project of that name.
func (w *world) resolve(name string) (bridge.Instance, error) {
	i, err := bridge.ParseInstance(name)
	if err != nil {
		return bridge.Instance{}, &fault{ExitUsage, err, "an instance is PROJECT or PROJECT:LABEL"}
	}
	if w.has(i) {
		return i, nil
	}
	var same []string
	var only bridge.Instance
	for _, k := range w.known() {
		if i.Label == "" && k.Project == i.Project {
			same, only = append(same, k.String()), k
		}
	}
	switch len(same) {
	case 0:
		return bridge.Instance{}, noInstance("clauster-ctl list, or clauster-ctl start "+name, "there is no instance %s", name)
	case 1:
		return only, nil
	}
	return bridge.Instance{}, noInstance("name one of them: "+strings.Join(same, ", "),
		"project %s has %d instances", i.Project, len(same))
}
