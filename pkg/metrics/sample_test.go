package metrics

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

func TestSample(t *testing.T) {
	f, src := newFakes(t, 2)
	s := NewSampler(src)
	one := f.instances[:1]
	// An earlier question, a second ago, with a quarter of a CPU second less.
	s.last[one[0].Instance] = use{run: "run1", at: time.Now().Add(-time.Second), cpu: 1750000}
	got := s.Sample(context.Background(), one)
	if got == nil || !got.Running || got.CPUPercent < 20 || got.CPUPercent > 26 || got.RSSBytes != 62914560 || *got.MemoryHigh != 3 ||
		got.Pressure["cpu"] != 0.015 || got.CPUNormalized {
		t.Errorf("%+v", got)
	}
	if got.DiskReadBPS != nil {
		t.Error("a rate without an earlier figure")
	}

	f.cfg.Metrics.NormalizeCPU, f.cfg.Metrics.ShowDisk = true, false
	sum := s.Sample(context.Background(), f.instances)
	if len(sum.Instances) != 2 || sum.RSSBytes != 2*62914560 || !sum.CPUNormalized || sum.DiskReadBPS != nil || sum.IOReadBytes != nil || sum.Pressure != nil {
		t.Errorf("%+v", sum)
	}
	data, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	var null struct {
		Read any `json:"disk_read_bps"`
	}
	if err := json.Unmarshal(data, &null); err != nil || null.Read != nil {
		t.Errorf("%s", data)
	}
}

// TestSampleOfNothing: what is stopped, and everything where metrics.enabled is
// false, is {"running":false}.
func TestSampleOfNothing(t *testing.T) {
	f, src := newFakes(t, 1)
	s := NewSampler(src)
	stopped := []wire.Instance{f.instances[0]}
	stopped[0].Status = bridge.Stopped
	if got := s.Sample(context.Background(), stopped); got != nil {
		t.Errorf("%+v", got)
	}
	f.cfg.Metrics.Enabled = false
	if got := s.Sample(context.Background(), f.instances); got != nil {
		t.Errorf("%+v", got)
	}
}
