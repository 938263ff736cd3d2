package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

// An instance whose record is broken was not listed and could not be forgotten.
func TestBrokenRecordsAreKnown(t *testing.T) {
	tab, p := testTable(t, nil)
	p.Origin.User = true
	for _, name := range []string{"zz", "yy"} {
		if err := os.WriteFile(filepath.Join(p.Records.Path, name+".json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, err := Look(t.Context(), &fakeBus{}, p)
	if err != nil || len(w.Known()) != 2 || !w.Has(inst("zz")) || len(w.Warnings) != 2 {
		t.Fatalf("%v %v", w, err)
	}
	if got := w.Warnings[1].Error(); !strings.Contains(got, "/zz.json: ") || !strings.HasSuffix(got, "; to drop it: clauster-ctl --user forget zz") {
		t.Errorf("%s", got)
	}
	if err := tab.relist(t.Context(), &fakeBus{}); err != nil {
		t.Fatal(err)
	}
	b, ok := tab.Get(inst("zz"))
	if !ok || b.Status != bridge.Stopped || !strings.Contains(b.Reason, "zz.json") || b.Hint != "clauster-ctl --user forget zz" {
		t.Errorf("%v %+v", ok, b)
	}
	if err := p.Records.Remove(inst("zz")); err != nil {
		t.Fatal(err)
	}
	tab.reloadRecord(inst("zz"))
	if _, ok := tab.Get(inst("zz")); ok {
		t.Error("forgotten and still shown")
	}
	if err := os.WriteFile(filepath.Join(p.Records.Path, "xx.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	tab.reloadRecord(inst("xx"))
	tab.reloadRecords()
	if _, ok := tab.Get(inst("xx")); !ok {
		t.Error("broken just now and not shown")
	}
}
