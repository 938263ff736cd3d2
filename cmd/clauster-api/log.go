package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// newLogger writes lines that journald understands: «<4>message key=value».
// Time and unit are journald's own.
func newLogger(to io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(&prefixer{to: to}, &slog.HandlerOptions{Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
}

// prefixer turns the handler's level into journald's priority. The handler
// writes one line in one call.
type prefixer struct {
	mu sync.Mutex
	to io.Writer
}

// Write puts the priority in front of a line.
func (p *prefixer) Write(line []byte) (int, error) {
	text, priority := line, 6
	for _, l := range []struct {
		name     string
		priority int
	}{{"DEBUG", 7}, {"INFO", 6}, {"WARN", 4}, {"ERROR", 3}} {
		if rest, found := bytes.CutPrefix(line, []byte("level="+l.name+" ")); found {
			text, priority = rest, l.priority
		}
	}
	text = plain(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.to, "<%d>%s", priority, text); err != nil {
		return 0, err
	}
	return len(line), nil
}

// plain takes the sentence of a line out of msg="…": people read it in the
// journal, where quotes within quotes are hard on the eye.
func plain(line []byte) []byte {
	rest, found := bytes.CutPrefix(line, []byte("msg="))
	if !found {
		return line
	}
	quoted, err := strconv.QuotedPrefix(string(rest))
	if err != nil {
		return rest
	}
	sentence, err := strconv.Unquote(quoted)
	if err != nil || strings.ContainsAny(sentence, "\r\n") {
		return line
	}
	return append([]byte(sentence), rest[len(quoted):]...)
}

// logLevel is slog's level of log_level.
func logLevel(word string) slog.Level {
	switch word {
	case "debug":
		return slog.LevelDebug
	case "warning":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}
