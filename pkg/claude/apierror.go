package claude

import "strings"

// APIError is the model API's refusal of one request inside a session. It
// never ends the bridge.
type APIError struct {
	Name string // "overloaded", "server-error", "limit", "throttled", "rejected", "login" or "other"
	Text string // claude's words, at most 300 bytes, escapes stripped, not redacted
}

// ParseAPIError recognises a line of the screen, of an event line or of a
// transcript that reports an error of the model API. Only the beginning of the
// line counts, so that a conversation about errors is none.
func ParseAPIError(line string) (APIError, bool) {
	if isEvent(line) {
		line = line[len("[HH:MM:SS] "):]
	}
	line = trimFrame(line)
	if line == "" {
		return APIError{}, false
	}
	name := ""
	switch line[0] {
	case 'A':
		if strings.HasPrefix(line, "API Error") {
			name = apiErrorName(line)
		}
	case 'Y':
		if strings.HasPrefix(line, "You've hit your ") && strings.Contains(line, "limit") {
			name = "limit"
		}
	case 'L', 'O', 'N':
		switch {
		case strings.HasPrefix(line, "Login expired"), strings.HasPrefix(line, "OAuth token has expired"),
			strings.HasPrefix(line, "OAuth token revoked"), strings.HasPrefix(line, "Not logged in · Please run /login"):
			name = "login"
		}
	case '{':
		if strings.HasPrefix(line, `{"type":"error","error":{`) {
			name = apiErrorName(line)
		}
	}
	if name == "" {
		return APIError{}, false
	}
	return APIError{name, clip(line, 300)}, true
}

func apiErrorName(line string) string {
	switch {
	case strings.Contains(line, "529"), strings.Contains(line, "verloaded"):
		return "overloaded"
	case strings.Contains(line, "temporarily limiting requests"):
		return "throttled"
	case strings.Contains(line, "429"), strings.Contains(line, "rate_limit_error"):
		return "rejected"
	case strings.Contains(line, "Error: 5"), strings.Contains(line, "Error (5"), strings.Contains(line, `"api_error"`):
		return "server-error"
	case strings.Contains(line, "401"), strings.Contains(line, "authentication_error"):
		return "login"
	}
	return "other"
}

// trimFrame drops what a screen puts before a text: spaces, bullets, box
// drawing and other marks that are not ASCII.
func trimFrame(s string) string {
	for i, r := range s {
		if r > ' ' && r < 0x7f && r != '|' && r != '>' && r != '*' {
			return s[i:]
		}
	}
	return ""
}

// clip shortens s to at most n bytes at a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
