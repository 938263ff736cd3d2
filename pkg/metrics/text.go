package metrics

import (
	"math"
	"strconv"
	"strings"
)

// PageMedia is the media type of a Page: the text format of Prometheus.
const PageMedia = "text/plain; version=0.0.4; charset=utf-8"

// text collects the samples of each family in Prometheus's text format. Why it
// is our own: docs/decisions/own-metrics-page.md.
type text struct {
	families [familyCount]Family
	samples  [familyCount][]byte
}

// reset forgets the samples and keeps the room for the next page.
func (t *text) reset() {
	for i := range t.samples {
		t.samples[i] = t.samples[i][:0]
	}
}

// put adds a sample. labels are those of label, joined; "" for none.
func (t *text) put(family int, value float64, labels string) {
	t.putAs(family, "", value, labels)
}

func (t *text) putAs(family int, suffix string, value float64, labels string) {
	b := append(t.samples[family], t.families[family].Name...)
	b = append(b, suffix...)
	if labels != "" {
		b = append(b, '{')
		b = append(b, labels...)
		b = append(b, '}')
	}
	b = append(b, ' ')
	t.samples[family] = append(appendValue(b, value), '\n')
}

// appendValue writes whole numbers as people do.
func appendValue(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// histogram adds the cumulative buckets, the sum and the count.
func (t *text) histogram(family int, r *routeFigures, labels string) {
	for i, n := range r.buckets {
		t.putAs(family, "_bucket", float64(n), labels+`,le="`+strconv.FormatFloat(latencyBounds[i], 'g', -1, 64)+`"`)
	}
	t.putAs(family, "_bucket", float64(r.timed), labels+`,le="+Inf"`)
	t.putAs(family, "_sum", r.seconds, labels)
	t.putAs(family, "_count", float64(r.timed), labels)
}

// page joins the families that have samples.
func (t *text) page() []byte {
	size := 0
	for i := range t.samples {
		size += len(t.samples[i]) + 256
	}
	out := make([]byte, 0, size)
	for i, samples := range t.samples {
		if len(samples) == 0 {
			continue
		}
		f := t.families[i]
		out = append(out, "# HELP "+f.Name+" "+f.Help+"\n# TYPE "+f.Name+" "+f.Type+"\n"...)
		out = append(out, samples...)
	}
	return out
}

// label is one label with its value escaped as the format wants.
func label(name, value string) string {
	if strings.ContainsAny(value, "\\\"\n") {
		value = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
	}
	return name + `="` + strings.ToValidUTF8(value, "\uFFFD") + `"`
}
