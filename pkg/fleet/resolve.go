package fleet

import (
	"fmt"
	"slices"

	"clauster/pkg/bridge"
)

// UnknownError means that there is no such instance.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return "there is no instance " + e.Name }

// AmbiguousError means that a name stands for several instances.
type AmbiguousError struct {
	Name       string
	Candidates []string
	project    bool
}

func (e *AmbiguousError) Error() string {
	if e.project {
		return fmt.Sprintf("project %s has %d instances", e.Name, len(e.Candidates))
	}
	return fmt.Sprintf("the runs of %d instances begin with %s", len(e.Candidates), e.Name)
}

// Resolve finds the known instance that a name means: the instance of that
// name, else the only instance of the project of that name. Errors are a
// *bridge.NameError, an *UnknownError or an *AmbiguousError.
func Resolve(known []bridge.Instance, name string) (bridge.Instance, error) {
	i, err := bridge.ParseInstance(name)
	if err != nil {
		return bridge.Instance{}, err
	}
	if slices.Contains(known, i) {
		return i, nil
	}
	var same []string
	var only bridge.Instance
	for _, k := range known {
		if i.Label == "" && k.Project == i.Project {
			same, only = append(same, k.String()), k
		}
	}
	switch len(same) {
	case 0:
		return bridge.Instance{}, &UnknownError{name}
	case 1:
		return only, nil
	}
	return bridge.Instance{}, &AmbiguousError{i.Project, same, true}
}
