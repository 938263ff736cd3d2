package bridge

import (
	"fmt"
	"strings"
)

// Limits of the two halves of an instance name. They keep a unit name far
// below systemd's 255 bytes and a directory name below the kernel's 255.
const (
	MaxProjectLen = 64
	MaxLabelLen   = 32
)

// Instance names one bridge: a project, or one of several bridges in a
// project told apart by a label. Its text form, PROJECT or PROJECT:LABEL, is
// the instance part of clauster@INSTANCE.service, unescaped (%i): every byte
// it may hold is legal in a unit name, a file name and a D-Bus string.
type Instance struct {
	Project string
	Label   string // empty for the project's only bridge
}

// NameError says which rule a project, label or instance name breaks.
type NameError struct {
	What string // "project", "label" or "instance"
	Name string
	Rule string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("cannot use %s name %q: %s", e.What, e.Name, e.Rule)
}

// ParseInstance reads PROJECT or PROJECT:LABEL. The error is a *NameError.
func ParseInstance(s string) (Instance, error) {
	project, label, labelled := strings.Cut(s, ":")
	if err := CheckProject(project); err != nil {
		return Instance{}, err
	}
	if !labelled {
		return Instance{Project: project}, nil
	}
	if err := CheckLabel(label); err != nil {
		return Instance{}, err
	}
	return Instance{Project: project, Label: label}, nil
}

// CheckProject reports whether a project name follows
// [A-Za-z0-9_][A-Za-z0-9_.-]{0,63}. The error is a *NameError or nil.
func CheckProject(name string) error {
	return checkName("project", name, MaxProjectLen)
}

// CheckLabel reports whether a label follows [A-Za-z0-9_][A-Za-z0-9_.-]{0,31}.
// The error is a *NameError or nil.
func CheckLabel(name string) error {
	return checkName("label", name, MaxLabelLen)
}

func checkName(what, name string, limit int) error {
	switch {
	case name == "":
		return &NameError{what, name, "it is empty"}
	case len(name) > limit:
		return &NameError{what, name, fmt.Sprintf("it is longer than %d bytes", limit)}
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if isWordByte(c) || (i > 0 && (c == '.' || c == '-')) {
			continue
		}
		if i == 0 {
			return &NameError{what, name, "it must begin with a letter, a digit or _"}
		}
		return &NameError{what, name, "only letters, digits, _ . and - are allowed"}
	}
	return nil
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// String gives PROJECT or PROJECT:LABEL.
func (i Instance) String() string {
	if i.Label == "" {
		return i.Project
	}
	return i.Project + ":" + i.Label
}

// DisplayName is the label claude shows for the bridge when no other name was
// chosen: LABEL of PROJECT:LABEL, else the project.
func (i Instance) DisplayName() string {
	if i.Label != "" {
		return i.Label
	}
	return i.Project
}

const (
	servicePrefix, serviceSuffix = "clauster@", ".service"
	scopePrefix, scopeSuffix     = "clauster-bridge-", ".scope"
)

// UnitPattern and ScopePattern match every unit of ours in ListUnitsByPatterns.
const (
	UnitPattern  = "clauster@*.service"
	ScopePattern = "clauster-bridge-*.scope"
)

// Slice is the slice every bridge scope lives in.
const Slice = "clauster.slice"

// Unit is the service that holds the instance's keeper.
func (i Instance) Unit() string { return servicePrefix + i.String() + serviceSuffix }

// Scope is the transient scope that holds the instance's bridge.
func (i Instance) Scope() string { return scopePrefix + i.String() + scopeSuffix }

// InstanceOfUnit finds the instance a service or scope of ours belongs to;
// ok is false for any other unit and for a name that breaks the rules.
func InstanceOfUnit(unit string) (Instance, bool) {
	for _, form := range [][2]string{{servicePrefix, serviceSuffix}, {scopePrefix, scopeSuffix}} {
		name, found := strings.CutPrefix(unit, form[0])
		if !found {
			continue
		}
		if name, found = strings.CutSuffix(name, form[1]); !found {
			continue
		}
		i, err := ParseInstance(name)
		return i, err == nil
	}
	return Instance{}, false
}
