package claude

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ~/.claude.json belongs to claude: numbers of any precision, keys in their
// order, duplicate keys and odd spacing are to survive an edit of ours. So the
// bytes around the one value that changes are kept, not re-encoded.

// errNotObject is the error of a path that leads through something else.
var errNotObject = errors.New("it is no JSON object")

// setJSON sets the member of doc that path names to value and gives the new
// document. Objects that are missing on the way are made. doc itself is
// returned where the member has that value already.
func setJSON(doc []byte, value string, path ...string) ([]byte, error) {
	if !json.Valid(doc) {
		return nil, errors.New("it is no valid JSON")
	}
	return setMember(doc, skipSpace(doc, 0), value, path)
}

// setMember works on the object that begins at doc[at].
func setMember(doc []byte, at int, value string, path []string) ([]byte, error) {
	if at >= len(doc) || doc[at] != '{' {
		return nil, errNotObject
	}
	object := members(doc, at)
	for i := len(object.members) - 1; i >= 0; i-- { // of duplicates the last one counts
		m := object.members[i]
		if m.key != path[0] {
			continue
		}
		if len(path) > 1 {
			out, err := setMember(doc, m.start, value, path[1:])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path[0], err)
			}
			return out, nil
		}
		if string(doc[m.start:m.end]) == value {
			return doc, nil
		}
		return splice(doc, m.start, m.end, value), nil
	}
	text := quoteJSON(path[0]) + ": " + nest(value, path[1:])
	if n := len(object.members); n > 0 {
		// The space before the first key is what this file puts between members.
		space := string(doc[at+1 : object.members[0].keyAt])
		return splice(doc, object.members[n-1].end, object.members[n-1].end, ","+space+text), nil
	}
	return splice(doc, at+1, object.end, text), nil
}

// nest wraps value in an object for each name of path.
func nest(value string, path []string) string {
	for i := len(path) - 1; i >= 0; i-- {
		value = "{" + quoteJSON(path[i]) + ": " + value + "}"
	}
	return value
}

func quoteJSON(s string) string {
	b, _ := json.Marshal(s) // a string always marshals
	return string(b)
}

func splice(doc []byte, start, end int, with string) []byte {
	out := make([]byte, 0, len(doc)+len(with))
	out = append(out, doc[:start]...)
	out = append(out, with...)
	return append(out, doc[end:]...)
}

// member is one member of an object: where its key and its value stand.
type member struct {
	key        string
	keyAt      int
	start, end int
}

type object struct {
	members []member
	end     int // of the closing brace
}

// members reads the object that begins at doc[at]; doc must be valid JSON.
func members(doc []byte, at int) object {
	var o object
	i := skipSpace(doc, at+1)
	for doc[i] != '}' {
		m := member{keyAt: i}
		end := skipValue(doc, i)
		_ = json.Unmarshal(doc[i:end], &m.key) // valid by assumption
		i = skipSpace(doc, end)                // at the colon
		m.start = skipSpace(doc, i+1)
		m.end = skipValue(doc, m.start)
		o.members = append(o.members, m)
		if i = skipSpace(doc, m.end); doc[i] == ',' {
			i = skipSpace(doc, i+1)
		}
	}
	o.end = i
	return o
}

func skipSpace(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\t' || doc[i] == '\n' || doc[i] == '\r') {
		i++
	}
	return i
}

// skipValue gives the end of the value that begins at doc[i].
func skipValue(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch doc[i] {
		case '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default: // number, true, false, null
			for i < len(doc) && (isAlnum(doc[i]) || doc[i] == '-' || doc[i] == '+' || doc[i] == '.') {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}
