package claude

import "time"

// Level is the level of a debug line.
type Level uint8

// The levels claude writes. LevelNone is a line of another form.
const (
	LevelNone Level = iota
	LevelVerbose
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

// Line is one line of a debug file, cut apart. Its slices are borrowed from
// the line.
type Line struct {
	Stamp []byte // 2026-11-21T19:01:37.229Z, always of this length
	Level Level
	Text  []byte // after "[LEVEL] "; one with newlines inside comes JSON-quoted
}

const stampLen = len("2026-11-21T19:01:37.229Z")

// SplitLine cuts a line of a debug file, without its newline, into time, level
// and text. ok is false for a line of another form, which is then all text and
// of LevelNone: what claude did not begin with a time and a level, it did not
// write. The cost does not depend on the line's length.
func SplitLine(line []byte) (l Line, ok bool) {
	if len(line) < stampLen+6 || line[0] < '1' || line[0] > '9' || line[4] != '-' || line[7] != '-' ||
		line[10] != 'T' || line[13] != ':' || line[16] != ':' || line[19] != '.' ||
		line[23] != 'Z' || line[24] != ' ' || line[25] != '[' {
		return Line{Text: line}, false
	}
	rest := line[26:]
	level, n := levelOf(rest)
	if level == LevelNone {
		return Line{Text: line}, false
	}
	text := rest[n:]
	if len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	return Line{line[:stampLen], level, text}, true
}

// levelOf reads "LEVEL]" and says how long it was.
func levelOf(b []byte) (Level, int) {
	for _, l := range [...]struct {
		level Level
		word  string
	}{{LevelDebug, "DEBUG]"}, {LevelInfo, "INFO]"}, {LevelWarn, "WARN]"}, {LevelError, "ERROR]"}, {LevelVerbose, "VERBOSE]"}} {
		if len(b) >= len(l.word) && b[0] == l.word[0] && string(b[:len(l.word)]) == l.word {
			return l.level, len(l.word)
		}
	}
	return LevelNone, 0
}

// Time reads the line's time, UTC with milliseconds; lines may be out of order
// by a few of them. It is the zero time where claude wrote none.
func (l Line) Time() time.Time {
	t, err := time.Parse("2006-01-02T15:04:05.000Z", string(l.Stamp))
	if err != nil {
		return time.Time{}
	}
	return t
}
