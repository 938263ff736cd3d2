package fleet

import (
	"clauster/pkg/bridge"
	"clauster/pkg/wire"
	"fmt"
)

// enterRoom refuses a start of what is down beyond
// instance_defaults.max_bridges. Nobody else enters until leave is called, once
// systemd has the job: between the count and the job four starts at once all
// found room for one. The wait for the job is outside.
func (o *Operator) enterRoom(c *change) (leave func(), err error) {
	cfg := o.Config()
	most := cfg.InstanceDefaults.MaxBridges
	if most <= 0 {
		return func() {}, nil
	}
	o.limited.Lock()
	live, err := o.living(c)
	if err == nil && !live[c.i] && len(live) >= most {
		others := fmt.Sprintf("%d bridges live", len(live))
		if len(live) == 1 {
			others = "1 bridge lives"
		}
		err = refuse(wire.Conflict, "stop one, or raise instance_defaults.max_bridges in "+cfg.Path,
			"cannot start %s: %s on this host, and max_bridges is %d", c.i, others, most)
	}
	if err != nil {
		o.limited.Unlock()
		return nil, err
	}
	return o.limited.Unlock, nil
}

// living gives what lives and what is about to. systemd is asked: the table
// does not show a job that was made just now, by us or by anybody else.
func (o *Operator) living(c *change) (map[bridge.Instance]bool, error) {
	units, err := c.link.bus.ListUnits(c.ctx, bridge.UnitPattern, bridge.ScopePattern)
	if err != nil {
		return nil, o.problem(err)
	}
	live := map[bridge.Instance]bool{}
	for _, u := range units {
		if i, ours := bridge.InstanceOfUnit(u.Name); ours && (up(u.Active) || starts(u.Job)) {
			live[i] = true
		}
	}
	return live, nil
}

// starts reports whether a job of this type leaves its unit running.
func starts(job string) bool { return job == "start" || job == "restart" }
