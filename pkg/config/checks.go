package config

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"clauster/pkg/bridge"
)

// The rules of single values. Each gets a value of its key's Go type and says
// what is broken, or "". A secret's value never goes into the sentence.

// notSet lets the empty string mean "not set" for an optional string.
func notSet(value any) bool { s, ok := value.(string); return ok && s == "" }

func checkUser(value any) string {
	s := value.(string)
	switch {
	case s == "":
		return "it must name a user"
	case s == "root" || s == "0":
		return "bridges never run as root: name an ordinary user"
	case len(s) > 32:
		return "it must be at most 32 bytes long"
	}
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return "it must be a user name: letters, digits, _ . and -, not beginning with a digit, - or ."
		}
	}
	return ""
}

// checkHomePath accepts absolute paths and paths below a home; whose home is
// checked across keys.
func checkHomePath(value any) string {
	s := value.(string)
	switch {
	case strings.ContainsFunc(s, unicode.IsControl):
		return "it must not hold control characters"
	case strings.HasPrefix(s, "/"):
		return ""
	case strings.HasPrefix(s, "~"):
		return ""
	}
	return "it must be an absolute path, or begin with ~/"
}

func checkAbsolute(value any) string {
	if s := value.(string); s != "" && (!strings.HasPrefix(s, "/") || strings.ContainsFunc(s, unicode.IsControl)) {
		return "it must be an absolute path"
	}
	return ""
}

func checkBinary(value any) string {
	s := value.(string)
	switch {
	case s == "":
		return "it must not be empty"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "it must not hold control characters"
	case strings.HasPrefix(s, "-"):
		return "it must not begin with -"
	case strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~/") || !strings.ContainsAny(s, "/~"):
		return ""
	}
	return "it must be a plain name, an absolute path, or begin with ~/"
}

func checkPathAppend(value any) string {
	for _, dir := range value.([]string) {
		if !strings.HasPrefix(dir, "/") && dir != "~" && !strings.HasPrefix(dir, "~/") {
			return "each must be an absolute path, or begin with ~/"
		}
		if strings.Contains(dir, ":") || strings.ContainsFunc(dir, unicode.IsControl) {
			return "none may hold a colon or control characters: each is one directory"
		}
	}
	return ""
}

func checkVersion(value any) string {
	parts := strings.Split(value.(string), ".")
	if len(parts) > 4 || slices.ContainsFunc(parts, func(p string) bool {
		return p == "" || len(p) > 9 || strings.Trim(p, "0123456789") != ""
	}) {
		return `it must be numbers separated by dots, such as "2.1.145"`
	}
	return ""
}

func checkDisplayName(value any) string {
	if !notSet(value) && bridge.CheckDisplayName(value.(string)) != nil {
		return "it must be printable text of at most 128 bytes that does not begin with -"
	}
	return ""
}

func checkInstanceName(value any) string {
	s := value.(string)
	if len(s) > 32 || strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_.-", c))
	}) {
		return "it must be at most 32 letters, digits, _ . and -"
	}
	return ""
}

func checkRootPath(value any) string {
	s := value.(string)
	if s != "" && (!strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") || strings.Contains(s, "//") ||
		strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`?#%\"<>`, c) })) {
		return `it must be a path such as "/clauster", without a slash at its end`
	}
	return ""
}

func checkPasswordHash(value any) string {
	if !notSet(value) && !strings.HasPrefix(value.(string), "$argon2id$") {
		return "it must be an argon2id hash: clauster-ctl hash-password prints one"
	}
	return ""
}

func checkHexHash(value any) string {
	s := value.(string)
	if raw, err := hex.DecodeString(s); s != "" && (err != nil || len(raw) != 32 || s != strings.ToLower(s)) {
		return "it must be 64 hex digits in lower case (a SHA-256)"
	}
	return ""
}

func checkHeaderName(value any) string {
	s := value.(string)
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-')
	}) {
		return "it must be the name of an HTTP header"
	}
	return ""
}

func checkOrigins(value any) string {
	for _, s := range value.([]string) {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return `each must be an origin, such as "https://host.example:8443"`
		}
	}
	return ""
}

func checkHosts(value any) string {
	for _, s := range value.([]string) {
		u, err := url.Parse("http://" + s)
		if err != nil || u.Host != s || u.Hostname() == "" || u.User != nil || strings.HasSuffix(s, ":") || strings.ContainsAny(s, "*%") {
			return `each must be a host such as "host.example" or "host.example:8443"`
		}
	}
	return ""
}

func checkNetworks(value any) string {
	for _, s := range value.([]string) {
		if _, err := netip.ParseAddr(s); err == nil {
			continue
		}
		if _, err := netip.ParsePrefix(s); err != nil {
			return `each must be an address or a network, such as "10.0.0.0/8"`
		}
	}
	return ""
}

// maxTargets bounds webhooks.urls and notifications.urls: each has a worker.
const maxTargets = 32

// eachOf judges every URL of a list by its number: its text holds keys.
func eachOf(list []string, broken func(string) string) string {
	if len(list) > maxTargets {
		return "there must be at most 32 of them"
	}
	var all []string
	for i, s := range list {
		if what := broken(s); what != "" {
			all = append(all, fmt.Sprintf("number %d cannot be used: %s", i+1, what))
		}
	}
	return strings.Join(all, "; ")
}

func checkWebURLs(value any) string {
	return eachOf(value.([]string), func(s string) string {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return "it must be an http:// or https:// URL with a host"
		}
		return ""
	})
}

func checkWebhookSecret(value any) string {
	s := value.(string)
	coded, found := strings.CutPrefix(s, "whsec_")
	if raw, err := base64.StdEncoding.DecodeString(coded); found && (err != nil || len(raw) < 16) {
		return "behind whsec_ it must be the base64 of at least 16 bytes: echo whsec_$(openssl rand -base64 32)"
	}
	if s != "" && len(s) < 16 {
		return "it must be at least 16 characters long: echo whsec_$(openssl rand -base64 32)"
	}
	return ""
}

// checkServiceURLs says what is wrong without a word of the URL: it holds keys.
func checkServiceURLs(value any) string {
	return eachOf(value.([]string), func(s string) string {
		_, broken := ServiceURL(s)
		return broken
	})
}

func checkSchemes(value any) string {
	for _, s := range value.([]string) {
		if !slices.Contains([]string{"https", "ssh", "http", "git"}, s) {
			return "each must be one of https, ssh, http, git"
		}
	}
	return ""
}

func checkCurrency(value any) string {
	s := value.(string)
	if len(s) != 3 || strings.Trim(strings.ToUpper(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "it must be a currency code of three letters"
	}
	return ""
}

func checkSymbol(value any) string {
	if utf8.RuneCountInString(value.(string)) > 8 {
		return "it must be at most 8 characters"
	}
	return ""
}
