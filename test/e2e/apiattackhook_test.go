package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"clauster/pkg/wire"
)

// TestAPIAttackedThroughWebhooks: whoever may name a webhook's target, or
// answers at one, wants Clauster to fetch from inside what he cannot reach
// himself (SSRF): the metadata of a cloud, a database, the API's own door.
func TestAPIAttackedThroughWebhooks(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("bait", nil)
	// The inside: whatever arrives here is a success of the attacker's.
	b.sink("127.0.0.1:9001", "/root/inside")
	b.sink("[::1]:9001", "/root/inside")
	// A public address of this machine's own, so that names can lead there.
	b.MustRun("perl", "-e", `socket(S, 2, 2, 0); for (0x8916, 0x891c) { ioctl(S, $_, pack("a16 S n C4 x8", "lo:1", 2, 0, $_ == 0x8916 ? (8,8,8,8) : (255,255,255,255))) or die "$!" }`)
	b.sink("8.8.8.8:9001", "/root/outside")
	point := func(lines ...string) {
		t.Helper()
		b.MustWriteFile("/etc/hosts", "127.0.0.1 localhost\n"+strings.Join(lines, "\n")+"\n", 0o644, "")
	}
	point("127.0.0.1 inside.example", "::1 inside6.example", "8.8.8.8 outside.example", "8.8.8.8 both.example", "127.0.0.1 both.example", "8.8.8.8 rebinds.example")
	good := []string{"http://8.8.8.8:9001/literal", "http://outside.example:9001/named", "http://rebinds.example:9001/rebinds"}
	bad := []string{
		"http://127.0.0.1:9001/", "http://localhost:9001/", "http://inside.example:9001/", "http://inside6.example:9001/", "http://both.example:9001/",
		"http://2130706433:9001/decimal", "http://0x7f000001:9001/hex", "http://0x7f.1:9001/", "http://127.1:9001/short", "http://0177.0.0.1:9001/octal", "http://0:9001/", "http://0.0.0.0:9001/",
		"http://[::1]:9001/", "http://[::]:9001/", "http://[::ffff:127.0.0.1]:9001/mapped", "http://[::ffff:7f00:1]:9001/", "http://[64:ff9b::7f00:1]:9001/nat64", "http://[2002:7f00:1::]:9001/6to4",
		"http://169.254.169.254/latest/meta-data/", "http://127.0.0.1.:9001/", "http://user:pass@127.0.0.1:9001/", "http://8.8.8.8@127.0.0.1:9001/", "http://127.0.0.1:7621/api/v1/logout",
	}
	configure := func(private bool, urls []string) {
		t.Helper()
		text, _ := json.Marshal(urls)
		b.writeConfig(fmt.Sprintf("[webhooks]\nenabled = true\nblock_private_targets = %t\nurls = %s\n", private, text))
	}
	live := func() {
		t.Helper()
		b.mustStart("bait")
		b.stop("bait")
	}
	// What is plainly no target is refused with the configuration already.
	b.must("GET", "/healthz", "")
	var loaded []string
	for _, u := range bad {
		configure(true, []string{u})
		if r := b.result("clauster-ctl", "config", "check"); r.Code == 0 {
			loaded = append(loaded, u)
		}
	}
	t.Logf("%d of %d are refused by config check already", len(bad)-len(loaded), len(bad))
	for _, u := range []string{"file:///etc/passwd", "gopher://127.0.0.1:9001/x", "unix:///run/clauster/api.sock", "http://", "//127.0.0.1:9001/", "http+unix://%2frun%2fclauster%2fapi.sock/"} {
		configure(true, []string{u})
		if r := b.result("clauster-ctl", "config", "check"); r.Code == 0 {
			t.Errorf("config check accepts %s", u)
		}
	}
	configure(true, append(loaded, good...))
	b.MustRun("systemctl", "reload", "clauster-api")
	live()
	list := func() (all []wire.Delivery) {
		var page wire.Deliveries
		b.must("GET", "/api/v1/deliveries?limit=1000", "").into(t, &page)
		return page.Deliveries
	}
	b.MustWaitFor("every delivery tried", settle, func() bool {
		all := list()
		for _, d := range all {
			if d.Attempts == 0 {
				return false
			}
		}
		return len(all) == 3*(len(loaded)+len(good))
	})
	if inside := b.received("/root/inside"); len(inside) != 0 {
		t.Errorf("arrived inside: %+v", inside)
	}
	if outside := b.received("/root/outside"); len(outside) != 3*len(good) {
		t.Errorf("%d requests arrived outside, want %d: the test proves nothing", len(outside), 3*len(good))
	}
	// The name that led outside leads inside now.
	configure(true, good[2:])
	point("127.0.0.1 rebinds.example")
	b.MustRun("systemctl", "restart", "clauster-api") // no connection is left that could be used again
	live()
	b.MustWaitFor("the rebound name tried", settle, func() bool {
		tried := 0
		for _, d := range list() {
			if d.Attempts > 0 && strings.Contains(d.Error, "loopback") && strings.Contains(d.Target, "rebinds") {
				tried++
			}
		}
		return tried >= 3
	})
	if inside := b.received("/root/inside"); len(inside) != 0 {
		t.Errorf("arrived after rebinding: %+v", inside)
	}
	// A public endpoint that sends its visitors inside: the way is not gone.
	for n, status := range []string{"301", "302", "303", "307", "308"} {
		b.sink(fmt.Sprintf("8.8.8.8:910%d", n), "/root/redirects", status, "http://127.0.0.1:9001/redirected")
		configure(false, []string{fmt.Sprintf("http://8.8.8.8:910%d/", n)}) // not even where private targets are allowed
		b.MustRun("systemctl", "reload", "clauster-api")
		live()
		b.MustWaitFor("the redirects", settle, func() bool { return len(b.received("/root/redirects")) >= 3*(n+1) })
	}
	if inside := b.received("/root/inside"); len(inside) != 0 {
		t.Errorf("arrived by a redirect: %+v", inside)
	}
}
