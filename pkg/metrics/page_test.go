package metrics

import (
	"context"
	"testing"
)

func BenchmarkPage200(b *testing.B) {
	_, src := newFakes(b, 200)
	facts := NewFacts(src.Home)
	defer facts.Close()
	facts.Wait(context.Background())
	p := NewPage(src, facts, NewTraffic())
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(p.Text(context.Background()))
	}
	b.ReportMetric(float64(size), "bytes")
}
