package e2e

import (
	"context"
	"encoding/json"
	"path"
	"testing"
	"time"

	"clauster/test/machine"
)

// vmSettle is settle for a machine that is emulated instruction by instruction.
const vmSettle = 2 * time.Minute

// What needs a kernel of its own: controllers, a reboot, a power cut. One VM
// serves all, in an order in which each part can use what the one before left:
// a boot under TCG costs more than most of them.
func TestVM(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a VM three times")
	}
	t.Parallel()
	b := bootVM(t)
	for _, part := range []struct {
		name string
		test func(*bed)
	}{
		{"limits", vmLimits}, {"reboot", vmReboot}, {"power cut", vmPowerCut}, {"power cuts in writes", vmPowerCutInWrites},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(&bed{b.With(t), t}) }) {
			return // what follows would fail in more confusing ways
		}
	}
}

// bootVM boots and furnishes a VM; dpkg alone takes a third of apt's time there.
func bootVM(t testing.TB) *bed {
	t.Helper()
	m := machine.StartVM(t, options())
	b := &bed{m, t}
	deb, err := packageFile()
	if err != nil {
		t.Fatal(err)
	}
	to := path.Join("/var/tmp", path.Base(deb))
	if err := m.CopyIn(deb, to, ""); err != nil {
		t.Fatal(err)
	}
	m.MustRun("dpkg", "--install", "--force-confold", to)
	if err := equip(m); err != nil {
		t.Fatal(err)
	}
	b.MustSh(`cat >>/etc/clauster/clauster.toml <<'END'
restart = "never"
[projects.vm-limits]
memory_max = "300M"
memory_high = "200M"
cpu_quota = "50%"
cpu_weight = 50
io_weight = 20
tasks_max = 48
[projects.vm-oom]
memory_max = "64M"
[projects.vm-child]
memory_max = "64M"
END
clauster-ctl config check`)
	return b
}

// listed is what clauster-ctl list says, by instance: one call where a status
// of each would take a second of the emulated machine's time.
func (b *bed) listed() map[string]status {
	b.t.Helper()
	var all []status
	text := b.MustRun("clauster-ctl", "list", "--json")
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		b.t.Fatalf("cannot read the list: %v\n%s", err, text)
	}
	byName := map[string]status{}
	for _, s := range all {
		byName[s.Instance] = s
	}
	return byName
}

// reboot shuts the machine down in order and boots it. One that does not come
// back is a failure, and gets its power back for the tests after it: in a dead
// guest each of their commands would wait out the time of the whole package.
func (b *bed) reboot() {
	b.t.Helper()
	b.again(func(ctx context.Context) error {
		err := b.Reboot(ctx)
		if err == nil {
			return nil
		}
		b.t.Errorf("the guest did not come back by itself: %v", err)
		revived, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		return b.PowerCut(revived)
	})
}

// cutPower takes the power away and boots from what was on the disk.
func (b *bed) cutPower() {
	b.t.Helper()
	b.again(b.PowerCut)
}

func (b *bed) again(how func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	if err := how(ctx); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("down and up in %s", time.Since(began).Round(time.Second))
}
