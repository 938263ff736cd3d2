package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// meetingManager has jobs that are over once most of them have begun.
type meetingManager struct {
	*fakeManager
	most int
	met  chan struct{}
}

func (m *meetingManager) Begin(ctx context.Context, v systemd.Verb, unit string) (func(context.Context) (string, error), error) {
	wait, err := m.fakeManager.Begin(ctx, v, unit)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.jobs) == m.most {
		close(m.met)
	}
	return func(ctx context.Context) (string, error) {
		<-m.met
		return wait(ctx)
	}, err
}

// Four starts at once found room for one, and all were made. Those that there
// is room for wait for their bridges at the same time.
func TestStartsAtOnceKeepMaxBridges(t *testing.T) {
	for _, most := range []int{1, 3} {
		o, fake, _ := testOperator(t)
		m := &meetingManager{fake, most, make(chan struct{})}
		o.Connect = func(context.Context) (Manager, error) { fake.opened++; return m, nil }
		o.Config().InstanceDefaults.MaxBridges = most
		var mu sync.Mutex
		var wg sync.WaitGroup
		made, refused := 0, 0
		for n := range 6 {
			name := fmt.Sprint("p", n)
			wg.Go(func() {
				_, created, err := o.Start(t.Context(), "x", inst(name), ask(name), false)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case kindOf(err) == wire.Conflict:
					refused++
				case err == nil && created:
					made++
				default:
					t.Errorf("%s: %v %v", name, created, err)
				}
			})
		}
		wg.Wait()
		if made != most || refused != 6-most || len(fake.jobs) != most {
			t.Errorf("max_bridges is %d: %d were made and %d refused: %v", most, made, refused, fake.jobs)
		}
	}
}

// A start that systemd has only queued takes its room, whoever asked for it.
func TestQueuedStartTakesRoom(t *testing.T) {
	o, m, _ := testOperator(t)
	o.Config().InstanceDefaults.MaxBridges = 1
	m.services[inst("a").Unit()] = systemd.ServiceProperties{ActiveState: "inactive", ExitCode: -1}
	m.queued = map[string]string{inst("a").Unit(): "start"}
	if _, _, err := o.Start(t.Context(), "x", inst("b"), ask("b"), false); kindOf(err) != wire.Conflict {
		t.Errorf("beside a queued start: %v", err)
	}
	if _, created, err := o.Start(t.Context(), "x", inst("a"), ask("a"), false); created || err != nil {
		t.Errorf("the queued one itself: %v %v", created, err)
	}
}

// A restart of what is down is a start, also in what it needs.
func TestRestartKeepsMaxBridges(t *testing.T) {
	o, m, _ := testOperator(t)
	o.Config().InstanceDefaults.MaxBridges = 1
	ctx := t.Context()
	if _, _, err := o.Start(ctx, "x", inst("a"), ask("a"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Restart(ctx, "x", inst("b"), ask("b")); kindOf(err) != wire.Conflict {
		t.Errorf("b is down and a lives: %v", err)
	}
	if left, err := o.Place.Records.ReadRequest(inst("b"), day); left != nil {
		t.Errorf("a refused restart left a request: %v, %v", left, err)
	}
	if _, err := o.Restart(ctx, "x", inst("a"), ask("a")); err != nil {
		t.Errorf("a lives: %v", err)
	}
	m.scopes[inst("b").Scope()] = "active"
	if _, err := o.Restart(ctx, "x", inst("b"), ask("b")); err != nil {
		t.Errorf("b lives without a keeper: %v", err)
	}
	if _, _, err := o.Start(ctx, "x", inst("c"), bridge.Request{Instance: "c", Resume: true}, false); kindOf(err) != wire.Conflict {
		t.Errorf("c is resumed: %v", err)
	}
	want := []string{"start clauster@a.service", "restart clauster@a.service", "restart clauster@b.service"}
	if !slices.Equal(m.jobs, want) {
		t.Errorf("jobs %v", m.jobs)
	}
}
