package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Infinity is the value of a limit that is lifted: what systemd means by it.
const Infinity = math.MaxUint64

// fromTOML turns a decoded TOML value into the key's Go value: string, bool,
// int64, float64, []string or uint64. A value that breaks a rule gives the
// rule.
func (k *Key) fromTOML(raw any) (value any, broken string) {
	ok := true
	switch k.Kind {
	case String, Enum:
		value, ok = raw.(string)
	case Bool:
		value, ok = raw.(bool)
	case Int:
		value, ok = raw.(int64)
	case Float:
		if n, isInt := raw.(int64); isInt {
			raw = float64(n)
		}
		value, ok = raw.(float64)
	case List:
		value, ok = stringList(raw)
	case Size, Quota, Weight, Tasks:
		switch v := raw.(type) {
		case int64:
			return k.fromText(strconv.FormatInt(v, 10))
		case string:
			return k.fromText(v)
		}
		ok = false
	}
	if !ok {
		return nil, "it must be " + k.RuleText() + ", not " + typeName(raw)
	}
	return k.checked(value)
}

// fromText turns the text of an environment variable, credential or _FILE
// into the key's Go value.
func (k *Key) fromText(text string) (value any, broken string) {
	if !utf8.ValidString(text) {
		return nil, "it is not UTF-8"
	}
	var err error
	switch k.Kind {
	case String, Enum:
		value = text
	case Bool:
		value, err = parseBool(text)
	case Int:
		value, err = strconv.ParseInt(text, 10, 64)
	case Float:
		value, err = strconv.ParseFloat(text, 64)
	case List:
		list := []string{}
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		value = list
	case Size:
		value, err = ParseSize(text)
	case Quota:
		value, err = ParseQuota(text)
	case Weight, Tasks:
		value, err = parseCount(text, k.Kind == Tasks)
	}
	if err != nil {
		return nil, "it must be " + k.RuleText()
	}
	return k.checked(value)
}

// checked applies what all forms of a value have in common.
func (k *Key) checked(value any) (any, string) {
	broken := "it must be " + k.RuleText()
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return nil, "it must not hold a NUL byte"
		}
		if k.Kind == Enum {
			i := slices.IndexFunc(k.Values, func(w string) bool { return strings.EqualFold(w, v) })
			if i < 0 {
				return nil, broken
			}
			value = k.Values[i]
		}
	case int64:
		if !k.inRange(float64(v)) {
			return nil, broken
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) || !k.inRange(v) {
			return nil, broken
		}
	case uint64:
		if k.Kind == Weight && (v < 1 || v > 10000) || v == 0 {
			return nil, broken
		}
	}
	if k.check != nil {
		if said := k.check(value); said != "" {
			return nil, said
		}
	}
	return value, ""
}

func (k *Key) inRange(v float64) bool {
	return (v > k.Min || v == k.Min && !k.Above) && (k.Max == 0 || v <= k.Max)
}

func stringList(raw any) ([]string, bool) {
	items, ok := raw.([]any)
	if !ok {
		return nil, false
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// typeName names the TOML type of a decoded value.
func typeName(raw any) string {
	switch raw.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "a list"
	case []map[string]any:
		return "a list of tables"
	case map[string]any:
		return "a table"
	}
	return "a date"
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("cannot read %q as true or false", text)
}

// ParseSize reads a number of bytes as systemd does: a number with an optional
// suffix K, M, G, T, P or E (powers of 1024), or "infinity".
func ParseSize(text string) (uint64, error) {
	if text == "infinity" {
		return Infinity, nil
	}
	digits, shift := text, 0
	if text != "" {
		if i := strings.IndexByte("BKMGTPE", text[len(text)-1]); i >= 0 {
			digits, shift = text[:len(text)-1], 10*i
		}
	}
	if whole, err := strconv.ParseUint(digits, 10, 64); err == nil {
		if whole > (Infinity-1)>>shift {
			return 0, fmt.Errorf("cannot use size %q: it is too large", text)
		}
		return whole << shift, nil
	}
	f, err := parseDecimal(digits)
	if err != nil || f*float64(uint64(1)<<shift) >= 1<<63 {
		return 0, fmt.Errorf("cannot read %q as a size", text)
	}
	return uint64(f * float64(uint64(1)<<shift)), nil
}

// ParseQuota reads a percentage of one CPU, "150%", or "infinity", into
// microseconds of CPU time per second (CPUQuotaPerSecUSec).
func ParseQuota(text string) (uint64, error) {
	if text == "infinity" {
		return Infinity, nil
	}
	digits, found := strings.CutSuffix(text, "%")
	f, err := parseDecimal(digits)
	if !found || err != nil || f > 1e6 {
		return 0, fmt.Errorf("cannot read %q as a percentage of one CPU", text)
	}
	return uint64(math.Round(f * 1e4)), nil
}

// parseDecimal reads digits with at most one point; ParseFloat alone would
// take 1e9, 0x1p4, inf and nan as well.
func parseDecimal(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("cannot read %q as a number", text)
	}
	return strconv.ParseFloat(text, 64)
}

func parseCount(text string, infinite bool) (uint64, error) {
	if infinite && text == "infinity" {
		return Infinity, nil
	}
	return strconv.ParseUint(text, 10, 63)
}

// DefaultText is the default as TOML writes it, or in words where the default
// is that nothing is set.
func (k *Key) DefaultText() string {
	if text := k.literal(k.Default); text != "" && (text != `""` || k.Unset == "") {
		return text
	}
	return k.Unset
}

// literal renders a value as TOML would be written, "" for one not set.
func (k *Key) literal(value any) string {
	switch v := value.(type) {
	case string:
		if v == "" && k.Unset != "" {
			return ""
		}
		return quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if v == 0 && k.Unset != "" {
			return ""
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return number(v)
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case uint64:
		return k.limitLiteral(v)
	}
	return ""
}

func (k *Key) limitLiteral(v uint64) string {
	switch {
	case v == 0:
		return ""
	case v == Infinity:
		return `"infinity"`
	case k.Kind == Size:
		return quote(sizeText(v))
	case k.Kind == Quota:
		return quote(number(float64(v)/1e4) + "%")
	}
	return strconv.FormatUint(v, 10)
}

// sizeText is the shortest exact form of a number of bytes.
func sizeText(v uint64) string {
	i := 0
	for ; i < 6 && v%1024 == 0 && v > 0; i++ {
		v >>= 10
	}
	return strconv.FormatUint(v, 10) + strings.TrimSpace(" KMGTPE"[i:i+1])
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// quote writes a TOML basic string; Go's escapes \a, \v and \x are not TOML's.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !strconv.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
