package ctl

import (
	"strings"
	"testing"

	"clauster/pkg/wire"
)

// TestUnknownIsNoFigure: what is not known is said to be so. Without the
// database a bad day was «0 launches», and memory that could not be read «(ok)».
func TestUnknownIsNoFigure(t *testing.T) {
	h := wire.Health{AgentMetrics: wire.AgentMetrics{ActiveCount: 2}, Services: map[string]wire.HealthWord{"store": wire.Unhealthy}}
	if got := agents(h); got != "2 active, the rest is not known without the database" {
		t.Error(got)
	}
	h.Services["store"] = wire.Healthy
	if got := agents(h); !strings.Contains(got, "0 launches") {
		t.Error(got)
	}
	if got := memory(style{}, wire.Resources{}); got != "not known" {
		t.Error(got)
	}
	if got := disk(style{}, wire.Resources{}); got != "not known" {
		t.Error(got)
	}
}
