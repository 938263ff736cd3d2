package config

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

// TestEveryKeyHasAField sets every key and looks for it in the struct; and
// every field of the struct must belong to a key.
func TestEveryKeyHasAField(t *testing.T) {
	var c Config
	names := map[string]bool{}
	for _, k := range Keys() {
		if names[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		names[k.Name] = true
		path := strings.Split(strings.Replace(k.Name, wildcard, "x", 1), ".")
		if !bind(reflect.ValueOf(&c).Elem(), path, k.Default) {
			t.Errorf("%s has no field for a %T", k.Name, k.Default)
		}
		if k.Doc == "" || k.Surface == "" || !strings.HasSuffix(k.Doc, ".") && !strings.HasSuffix(k.Doc, ")") && !strings.HasSuffix(k.Doc, "=") {
			t.Errorf("%s is not documented", k.Name)
		}
		if k.Secret && k.Unset == "" && k.Kind == String {
			t.Errorf("%s: a secret has no default", k.Name)
		}
	}
	for _, tag := range tags(reflect.TypeFor[Config](), "") {
		if !names[tag] && tag != "claude.env" && tag != "webhooks.events" {
			t.Errorf("field %s has no key", tag)
		}
	}
}

func tags(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("toml")
		switch {
		case f.Anonymous:
			out = append(out, tags(f.Type, prefix)...)
		case tag == "":
		case f.Type.Kind() == reflect.Struct:
			out = append(out, tags(f.Type, prefix+tag+".")...)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			out = append(out, tags(f.Type.Elem(), prefix+tag+"."+wildcard+".")...)
		default:
			out = append(out, prefix+tag)
		}
	}
	return out
}

// TestVariablesAreUnambiguous: a key's variable must be neither another key's
// nor another key's _FILE form.
func TestVariablesAreUnambiguous(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys() {
		if k.NoEnv {
			continue
		}
		for _, env := range []string{k.Env(), k.Env() + "_FILE"} {
			if other, taken := seen[env]; taken {
				t.Errorf("%s and %s share %s", k.Name, other, env)
			}
			seen[env] = k.Name
		}
	}
}

// TestDefaultsKeepTheirRules: a default that is set must pass its own rule.
func TestDefaultsKeepTheirRules(t *testing.T) {
	for _, k := range Keys() {
		if k.literal(k.Default) == "" || k.Unset != "" {
			continue
		}
		if _, broken := k.checked(k.Default); broken != "" {
			t.Errorf("%s: default %v: %s", k.Name, k.Default, broken)
		}
	}
}

func TestSizesAndQuotas(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "1": 1, "512M": 512 << 20, "2G": 2 << 30, "1.5G": 3 << 29, "4T": 4 << 40, "7B": 7, "infinity": Infinity, "15E": 15 << 60} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "G", "-1", "1GiB", "2g", "50%", "1e9", "0x10", "16E", "nan", "inf", " 1", "1.2.3", ".", "9999999999999999999999"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	for text, want := range map[string]uint64{"100%": 1e6, "150%": 1.5e6, "0.5%": 5000, "infinity": math.MaxUint64} {
		if got, err := ParseQuota(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "100", "-1%", "1e3%", "99999999%"} {
		if got, err := ParseQuota(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	for v, want := range map[uint64]string{1: "1", 1024: "1K", 1536: "1536", 3 << 29: "1536M", 1 << 60: "1E"} {
		if got := sizeText(v); got != want {
			t.Errorf("%d: %s", v, got)
		}
		if back, err := ParseSize(sizeText(v)); err != nil || back != v {
			t.Errorf("%d comes back as %d, %v", v, back, err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"restart", "claude", "user"}
	for name, want := range map[string]string{"restrat": "restart", "cluade": "claude", "usr": "user", "colour": "", "": "", strings.Repeat("x", 100): ""} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestReservedEvents: four events were offered that nothing makes.
func TestReservedEvents(t *testing.T) {
	var text strings.Builder
	text.WriteString("user = \"ops\"\n[webhooks]\nenabled = true\nurls = [\"https://example.com\"]\n[webhooks.events]\n")
	want := 0
	for _, e := range WebhookEvents() {
		made := slices.Contains(bridge.Events(), bridge.Event(e.Name))
		if made == e.Reserved() {
			t.Errorf("%s: made %v, reserved %v", e.Name, made, e.Reserved())
		}
		if !made {
			want++
		}
		text.WriteString(e.Name + " = true\n")
	}
	_, r := load(t, Source{FS: machine(text.String())})
	if got := findings(r.Warnings); len(got) != want || !strings.Contains(strings.Join(got, " "), "webhooks.events.alert = true: nothing makes these events yet") {
		t.Errorf("%q", got)
	}
}
