package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// series is a const metric whose labels are shared with others: a bridge has
// over twenty, and client_golang's own makes and sorts labels for each
// (docs/decisions/metrics-page.md).
type series struct {
	desc    *prometheus.Desc
	labels  []*dto.LabelPair
	value   float64
	counter bool
}

// Desc is its family.
func (s *series) Desc() *prometheus.Desc { return s.desc }

// Write fills in the labels and the value.
func (s *series) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.counter {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// tell tells a sample with ready labels, which are never changed.
func (o *out) tell(family int, value float64, labels []*dto.LabelPair) {
	if len(o.free) == 0 {
		o.free = make([]series, 256) // one allocation for many
	}
	s := &o.free[0]
	o.free = o.free[1:]
	*s = series{o.page.descs[family], labels, value, o.page.types[family] == prometheus.CounterValue}
	o.to <- s
}

// owner is the labels that all samples of a bridge have.
type owner struct{ bridge, project *dto.LabelPair }

// and adds labels, in the order of their names as client_golang wants it: one
// between bridge and project, one after them.
func (o owner) and(between, after *dto.LabelPair) []*dto.LabelPair {
	all := make([]*dto.LabelPair, 0, 4)
	all = append(all, o.bridge)
	if between != nil {
		all = append(all, between)
	}
	all = append(all, o.project)
	if after != nil {
		all = append(all, after)
	}
	return all
}

// pair makes a label of one bridge.
func pair(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// pair gives a label that many bridges have.
func (o *out) pair(name, value string) *dto.LabelPair {
	key := [2]string{name, value}
	if o.shared[key] == nil {
		o.shared[key] = pair(name, value)
	}
	return o.shared[key]
}
