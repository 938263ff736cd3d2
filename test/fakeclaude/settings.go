package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// settings says how this run behaves: key → raw value ("" for a bare word).
// Modes are keys like any other; `mode=a,b=3` is the same as lines `a`, `b=3`.
type settings struct {
	values map[string]string
	scale  float64
}

// loadSettings merges, strongest first: FAKECLAUDE_* variables, the file
// .fakeclaude in the working directory, the directory-name prefix `mode--rest`
// and ~/.fakeclaude. Of several `mode=` only the strongest counts.
func loadSettings(environ []string, home, cwd string) (*settings, error) {
	layers := []map[string]string{environmentLayer(environ)}
	project, err := fileLayer(filepath.Join(cwd, ".fakeclaude"))
	if err != nil {
		return nil, err
	}
	layers = append(layers, project, directoryLayer(filepath.Base(cwd)))
	if home != cwd {
		ofHome, err := fileLayer(filepath.Join(home, ".fakeclaude"))
		if err != nil {
			return nil, err
		}
		layers = append(layers, ofHome)
	}
	merged := map[string]string{}
	for i := len(layers) - 1; i >= 0; i-- {
		for k, v := range layers[i] {
			merged[k] = v
		}
	}
	for _, item := range strings.Split(merged["mode"], ",") {
		if k, v, _ := strings.Cut(strings.TrimSpace(item), "="); k != "" {
			merged[k] = v
		}
	}
	delete(merged, "mode")
	return checkSettings(merged)
}

// checkSettings refuses unknown keys: a misspelt mode would otherwise be a
// test that silently tests nothing.
func checkSettings(merged map[string]string) (*settings, error) {
	for k := range merged {
		if _, known := keys()[k]; !known {
			return nil, fmt.Errorf("unknown key %q; README.md lists the keys", k)
		}
	}
	if _, known := failures()[merged["crash-at-start"]]; merged["crash-at-start"] != "" && !known {
		return nil, fmt.Errorf("unknown reason crash-at-start=%s; one of %s", merged["crash-at-start"], failureNames())
	}
	if _, known := notices()[merged["notice"]]; merged["notice"] != "" && !known {
		return nil, fmt.Errorf("unknown notice=%s; one of %s", merged["notice"], noticeNames())
	}
	s := &settings{values: merged, scale: 1}
	if raw := merged["scale"]; raw != "" {
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil || f < 0 {
			return nil, fmt.Errorf("cannot read scale %q: want a number ≥ 0", raw)
		}
		s.scale = f
	}
	return s, nil
}

func environmentLayer(environ []string) map[string]string {
	layer := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if rest, ok := strings.CutPrefix(name, "FAKECLAUDE_"); ok {
			layer[strings.ToLower(strings.ReplaceAll(rest, "_", "-"))] = value
		}
	}
	return layer
}

// fileLayer reads `key=value` lines, bare keys and # comments; a missing file
// is an empty layer. Several `mode=` lines add up.
func fileLayer(path string) (map[string]string, error) {
	layer := map[string]string{}
	text, err := os.ReadFile(path)
	if err != nil {
		return layer, nil // missing or not ours to read: no settings
	}
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, v, _ := strings.Cut(line, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if k == "mode" && layer[k] != "" {
			v = layer[k] + "," + v
		}
		layer[k] = v
	}
	return layer, nil
}

// directoryLayer reads `crash-after_5.signal_9--blog` as
// `crash-after=5:signal=9`: a project name has no = and no colon, and no mode
// has _ or a dot. A prefix that is no mode belongs to the name.
func directoryLayer(base string) map[string]string {
	prefix, _, found := strings.Cut(base, "--")
	if !found {
		return nil
	}
	spec := strings.NewReplacer("_", "=", ".", ":").Replace(prefix)
	name, _, _ := strings.Cut(spec, "=")
	if _, known := keys()[name]; !known {
		return nil
	}
	return map[string]string{"mode": spec}
}

// on tells whether a key is set to anything but no/off/0-less refusal words.
func (s *settings) on(key string) bool {
	v, set := s.values[key]
	return set && v != "no" && v != "off"
}

// str is the whole raw value, or def where the key is unset.
func (s *settings) str(key, def string) string {
	if v, set := s.values[key]; set {
		return v
	}
	return def
}

// value splits `ARG:OPT:OPT=V` into the argument and its options.
func (s *settings) value(key string) (arg string, opts map[string]string) {
	parts := strings.Split(s.values[key], ":")
	opts = map[string]string{}
	for _, part := range parts[1:] {
		k, v, _ := strings.Cut(part, "=")
		opts[k] = v
	}
	return parts[0], opts
}

// number is the argument of key as a number, or def.
func (s *settings) number(key string, def int) int {
	arg, _ := s.value(key)
	if n, err := strconv.Atoi(arg); err == nil {
		return n
	}
	return def
}

// after is the argument of key as a scaled time, or def scaled.
func (s *settings) after(key string, def time.Duration) time.Duration {
	arg, _ := s.value(key)
	return s.scaled(duration(arg, def))
}

// scaled applies the one factor for all timings.
func (s *settings) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.scale)
}

// duration reads seconds ("5", "0.3") or Go's notation ("300ms").
func duration(text string, def time.Duration) time.Duration {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(f * float64(time.Second))
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return def
}

// size reads a byte count with K, M or G.
func size(text string) int64 {
	unit := int64(1)
	switch {
	case strings.HasSuffix(text, "K"):
		unit = 1 << 10
	case strings.HasSuffix(text, "M"):
		unit = 1 << 20
	case strings.HasSuffix(text, "G"):
		unit = 1 << 30
	}
	n, _ := strconv.ParseFloat(strings.TrimRight(text, "KMG"), 64)
	return int64(n * float64(unit))
}

// active lists the keys that are set, for the record.
func (s *settings) active() []string {
	var list []string
	for k, v := range s.values {
		if v == "" {
			list = append(list, k)
		} else {
			list = append(list, k+"="+v)
		}
	}
	sort.Strings(list)
	return list
}
