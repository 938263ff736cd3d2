package systemd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// throwaway tells that the machine this test runs on is one, and that its
// systemd may be asked for scopes. The end-to-end tests run this package's
// tests there (test/e2e, TestSystemdSeam).
const throwaway = "CLAUSTER_THROWAWAY_SYSTEMD"

// What a systemd refuses on a scope is left out and named, and the rest is in
// force. 249 refuses OOMPolicy; 252 refuses what stands here in its place.
func TestScopeWithoutRefusedProperties(t *testing.T) {
	if os.Getenv(throwaway) == "" {
		t.Skip("needs a systemd to play with: " + throwaway + "=1")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bus, err := Connect(ctx, System)
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	for name, bad := range map[string][]Property{
		"none":                 {},
		"of another kind":      {{Name: "ProtectSystem", Value: "full"}},
		"of the future":        {{Name: "MemoryTeleport", Value: uint64(1)}},
		"of another type":      {{Name: "CPUWeight", Value: "a lot"}},
		"with a value too big": {{Name: "IOWeight", Value: uint64(1 << 40)}},
		"two of them":          {{Name: "ProtectSystem", Value: "full"}, {Name: "MemoryTeleport", Value: uint64(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			sleep := exec.Command("sleep", "60")
			if err := sleep.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = sleep.Process.Kill(), sleep.Wait() }()
			s := Scope{Name: "clauster-seam.scope", PID: sleep.Process.Pid, Slice: "clauster.slice", Service: "clauster@seam.service",
				StopUSec: 1_000_000, Limits: append([]Property{{Name: "TasksMax", Value: uint64(77)}}, bad...)}
			refused, err := bus.StartScope(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = bus.StopUnit(ctx, s.Name) }()
			var want []string
			for _, p := range bad {
				want = append(want, p.Name)
			}
			if !slices.Equal(refused, want) {
				t.Errorf("refused %v, want %v", refused, want)
			}
			got, err := property[uint64](ctx, bus, unitPath(s.Name), "org.freedesktop.systemd1.Scope", "TasksMax")
			if err != nil || got != 77 {
				t.Errorf("TasksMax %d, %v", got, err)
			}
			group, err := os.ReadFile("/proc/" + strconv.Itoa(sleep.Process.Pid) + "/cgroup")
			if err != nil || !strings.HasSuffix(strings.TrimSpace(string(group)), "/"+s.Name) {
				t.Errorf("cgroup %q, %v", group, err)
			}
		})
	}
}

func TestBadProperty(t *testing.T) {
	for name, want := range map[string]bool{
		"org.freedesktop.DBus.Error.PropertyReadOnly": true, "org.freedesktop.DBus.Error.UnknownProperty": true,
		"org.freedesktop.DBus.Error.InvalidArgs": true, "org.freedesktop.DBus.Error.AccessDenied": false,
		"org.freedesktop.systemd1.UnitExists": false, "System.Error.ENXIO": true,
	} {
		err := errors.Join(errors.New("cannot"), dbus.Error{Name: name})
		if isBadProperty(err) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
