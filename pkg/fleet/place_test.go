package fleet

import "testing"

// The keeper compares the boot id of a request with the kernel's own spelling.
func TestBootIDOfAUnit(t *testing.T) {
	p := &Place{Boot: "fe42ceddddd44c47a0683c00f60125aa"}
	if id := p.BootID(); id != "fe42cedd-ddd4-4c47-a068-3c00f60125aa" {
		t.Error(id)
	}
	p.Boot = ""
	if id := p.BootID(); len(id) != 36 {
		t.Error(id)
	}
}
