package metrics

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/systemd"
)

// TestPings: systemd is asked again only about services whose next ping is due,
// and an age goes on growing meanwhile.
func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{every: 30 * time.Second, ages: map[string]time.Duration{"a": 10 * time.Second, "b": 2 * time.Second}}
		var p pings
		look := func(asked []string, want map[string]systemd.Watchdog, units ...string) {
			t.Helper()
			f.asked = nil
			got, err := p.look(t.Context(), f, units)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.asked, asked) {
				t.Errorf("asked about %q, want %q", f.asked, asked)
			}
			if len(got) != len(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			for unit, w := range want {
				if got[unit] != w {
					t.Errorf("%s: got %v, want %v", unit, got[unit], w)
				}
			}
		}
		dog := func(age time.Duration) systemd.Watchdog { return systemd.Watchdog{Every: 30 * time.Second, Age: age} }
		look([]string{"a", "b", "silent"}, map[string]systemd.Watchdog{"a": dog(10 * time.Second), "b": dog(2 * time.Second)}, "a", "b", "silent")
		<-time.After(4 * time.Second)
		look(nil, map[string]systemd.Watchdog{"a": dog(14 * time.Second), "b": dog(6 * time.Second)}, "a", "b")
		<-time.After(2 * time.Second)
		f.ages["a"] = time.Second // it has pinged
		look([]string{"a"}, map[string]systemd.Watchdog{"a": dog(time.Second), "b": dog(8 * time.Second)}, "a", "b")
		<-time.After(20 * time.Second)
		delete(f.ages, "a") // it has ended
		f.ages["b"] = 28 * time.Second
		look([]string{"a", "b"}, map[string]systemd.Watchdog{"b": dog(28 * time.Second)}, "a", "b")
		<-time.After(5 * time.Minute)
		f.ages = map[string]time.Duration{"c": 0}
		look([]string{"c"}, map[string]systemd.Watchdog{"c": dog(0)}, "c")
		if len(p.last) != 1 {
			t.Errorf("remembered: %v", p.last)
		}
		f.systemd = context.DeadlineExceeded
		if _, err := p.look(t.Context(), f, []string{"d"}); err == nil {
			t.Error("no error of systemd")
		}
	})
}
