package metrics

import (
	"context"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// Agents sums up what the bridges did; without the database only what is now.
func (s *Sources) Agents(ctx context.Context) wire.AgentMetrics {
	m := wire.AgentMetrics{ActiveCount: countStatus(s.Instances(), bridge.Running)}
	db := s.Store()
	if db == nil {
		return m
	}
	now := time.Now()
	if f, err := db.Figures(ctx); err == nil {
		m.TotalSessions = f.Counters[store.CountEvents][string(bridge.EventSpawn)]
	}
	if hour, err := db.EventCounts(ctx, now.Add(-time.Hour)); err == nil {
		m.InvocationsPerMinute = float64(hour[string(bridge.EventRequested)]) / 60
	}
	if day, err := db.EventCounts(ctx, now.Add(-24*time.Hour)); err == nil {
		bad := day[string(bridge.EventCrash)] + day[string(bridge.EventError)]
		if all := bad + day[string(bridge.EventStop)]; all > 0 {
			m.ErrorRate = float64(bad) / float64(all)
		}
	}
	return m
}

func countStatus(instances []wire.Instance, status bridge.Status) int {
	n := 0
	for _, i := range instances {
		if i.Status == status {
			n++
		}
	}
	return n
}

// AgentsMetrics is the category agents.
func (s *Sources) AgentsMetrics(ctx context.Context) wire.AgentsMetrics {
	instances := s.Instances()
	m := wire.AgentsMetrics{AgentMetrics: s.Agents(ctx), Bridges: byStatus(instances), Health: map[string]int{}, Host: s.Host}
	for _, h := range healths() {
		m.Health[string(h)] = 0
	}
	for _, i := range instances {
		if i.Health != "" {
			m.Health[string(i.Health)]++
		}
	}
	return m
}

// SystemMetrics is the category system.
func (s *Sources) SystemMetrics() wire.SystemMetrics {
	return wire.SystemMetrics{Resources: s.Machine.Resources(), UptimeSeconds: s.uptime(), Host: s.Host}
}

func (s *Sources) uptime() int64 { return int64(time.Since(s.Started).Seconds()) }

// PolicyMetrics is the category policy.
func (s *Sources) PolicyMetrics(t *Traffic) wire.PolicyMetrics {
	m := wire.PolicyMetrics{Host: s.Host}
	m.EvaluationsTotal, m.DeniedCount = t.Totals()
	for _, i := range s.Instances() {
		if i.Health == bridge.Waiting {
			m.ApprovalPendingCount++
		}
	}
	return m
}

// HTTPMetrics is the category http.
func (s *Sources) HTTPMetrics(t *Traffic) wire.HTTPMetrics {
	m := wire.HTTPMetrics{Host: s.Host}
	m.RequestsTotal, _ = t.Totals()
	m.LatencyP50Seconds, m.LatencyP99Seconds = t.Quantile(0.5).Seconds(), t.Quantile(0.99).Seconds()
	m.LatencyP50, m.LatencyP99 = 1000*m.LatencyP50Seconds, 1000*m.LatencyP99Seconds
	return m
}

// APIErrors sums up what the model API refused, over one hour and one day.
func (s *Sources) APIErrors(ctx context.Context) (wire.APIErrors, error) {
	db := s.Store()
	if db == nil {
		return wire.APIErrors{}, errNoStore
	}
	now := time.Now()
	hour, err := db.APIErrors(ctx, now.Add(-time.Hour))
	if err != nil {
		return wire.APIErrors{}, err
	}
	day, err := db.APIErrors(ctx, now.Add(-24*time.Hour))
	if err != nil {
		return wire.APIErrors{}, err
	}
	return wire.APIErrors{Host: s.Host, LastHour: sumErrors(hour), LastDay: sumErrors(day)}, nil
}

func sumErrors(counts []wire.APIErrorCount) wire.APIErrorSum {
	s := wire.APIErrorSum{ByKind: map[string]int{}, ByProject: map[string]int{}, Counts: counts}
	for _, c := range counts {
		s.Total += c.Count
		s.ByKind[c.Kind] += c.Count
		s.ByProject[c.Project] += c.Count
	}
	return s
}
