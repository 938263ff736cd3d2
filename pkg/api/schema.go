package api

import (
	"reflect"
	"strconv"
	"strings"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// Schema is a part of the OpenAPI document that describes one value.
type Schema = map[string]any

// What names in addresses look like. Anything else is answered 404.
const (
	projectPattern  = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
	instancePattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$"
	uuidPattern     = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
)

func matching(pattern string) Schema { return Schema{"type": "string", "pattern": pattern} }

// matchingOrEmpty is for parameters: an empty one is as none, which forms send.
func matchingOrEmpty(pattern string) Schema {
	return matching("^(" + strings.Trim(pattern, "^$") + ")?$")
}

func whole(least, most int64) Schema {
	return Schema{"type": "integer", "minimum": least, "maximum": most}
}

// moment is a time; an empty one is refused, as an empty number is.
func moment() Schema { return Schema{"type": "string", "format": "date-time"} }

// oneOf takes an empty one as none.
func oneOf[T ~string](words []T) Schema {
	return Schema{"type": "string", "enum": append([]T{""}, words...)}
}

// listOf is some of the words, with commas between them.
func listOf(words []string) Schema {
	word := "(" + strings.Join(words, "|") + ")"
	return matching("^" + word + "(," + word + "){0,7}$")
}

func (p Param) schema() Schema {
	if p.Schema == nil {
		return Schema{"type": "string"}
	}
	return p.Schema
}

// pathSchema is that of a segment of a path, by its name in the table.
func pathSchema(name string) Schema {
	switch name {
	case "instance":
		return matching(instancePattern)
	case "name":
		return matching(projectPattern)
	case "id":
		return matching(uuidPattern)
	case "category":
		return oneOf([]string{"system", "agents", "policy", "http"})
	}
	return Schema{"type": "string"}
}

// answer is the schema of an answer's example.
func (s schemas) answer(example any) Schema {
	several, ok := example.(OneOf)
	if !ok {
		return s.of(reflect.TypeOf(example))
	}
	var all []any
	for _, one := range several {
		all = append(all, s.of(reflect.TypeOf(one)))
	}
	return Schema{"anyOf": all}
}

// body is the schema of what is read: unknown fields are refused.
func (s schemas) body(t reflect.Type) Schema {
	schema := s.of(t)
	if object, ok := s[t.Name()].(Schema); ok {
		object["additionalProperties"] = false
	}
	return schema
}

// tagged adds the rules in a field's tag to its schema.
func tagged(schema Schema, tag reflect.StructTag) {
	if pattern := tag.Get("pattern"); pattern != "" {
		schema["pattern"] = pattern
	}
	for _, bound := range []string{"minimum", "maximum"} {
		if n, err := strconv.Atoi(tag.Get(bound)); err == nil {
			schema[bound] = n
		}
	}
}

// wordsOf are the values of a type that is a closed list, of a choice the empty
// one too, which is none; nil for any other type.
func wordsOf(t reflect.Type) []string {
	words := []string{""}
	switch t {
	case reflect.TypeFor[wire.Kind]():
		return wordList(wire.Kinds())
	case reflect.TypeFor[wire.HealthWord]():
		return wordList([]wire.HealthWord{wire.Healthy, wire.Degraded, wire.Unhealthy})
	case reflect.TypeFor[wire.DeliveryState]():
		return wordList(deliveryStates())
	case reflect.TypeFor[bridge.Mode]():
		return append(words, wordList(bridge.Modes())...)
	case reflect.TypeFor[bridge.SpawnMode]():
		return append(words, wordList(bridge.SpawnModes())...)
	case reflect.TypeFor[bridge.PermissionMode]():
		return append(words, wordList(bridge.PermissionModes())...)
	}
	return nil
}

func wordList[T ~string](list []T) []string {
	words := make([]string, len(list))
	for n, w := range list {
		words[n] = string(w)
	}
	return words
}
