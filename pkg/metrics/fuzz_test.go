package metrics

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"clauster/pkg/store"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// FuzzPage: whatever a name is, the page is one, and says the name as it is.
func FuzzPage(f *testing.F) {
	for _, name := range []string{"shop", "", `we"ird\`, "two\nlines", "\xff", "é}", "# HELP x"} {
		f.Add(name)
	}
	fakes, src := newFakes(f, 2)
	f.Fuzz(func(t *testing.T, name string) {
		fakes.instances[0].Instance, fakes.instances[0].Project = "b:"+name, name
		fakes.store.figures.Counters = map[store.Counter]map[string]uint64{store.CountCrashes: {name: 1}}
		p, traffic := newPage(t, src)
		traffic.Observe("GET /"+name, 200, time.Millisecond)
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text(t, p)))
		if err != nil {
			t.Fatal(err)
		}
		m := families["clauster_bridge_crashes_total"].GetMetric()
		if want := strings.ToValidUTF8(name, "\uFFFD"); len(m) != 1 || m[0].GetLabel()[0].GetValue() != want {
			t.Errorf("%q became %v", want, m)
		}
	})
}
