package api

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// Document is the OpenAPI 3.1 description of a table, generated from it, so
// that it cannot say anything else than what is served.
// It is that of one door: the unix socket asks for no token.
func (t Table) Document(version string, door auth.Door) map[string]any {
	s := schemas{"Problem": nil}
	s["Problem"] = s.object(reflect.TypeFor[wire.Problem]())
	paths := map[string]any{}
	for _, r := range t {
		if r.LocalOnly && door != auth.UnixDoor {
			continue
		}
		item, _ := paths[r.Path].(map[string]any)
		if item == nil {
			item = map[string]any{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = r.operation(s, door)
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Clauster", "version": version,
			"description": "Runs and supervises Claude Code bridges. Refusals are application/problem+json (RFC 9457); branch on `kind`."},
		"paths": paths,
		"components": map[string]any{
			"schemas": map[string]any(s),
			"responses": map[string]any{"Problem": map[string]any{"description": "refused", "content": map[string]any{
				wire.ProblemType: map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Problem"}}}}},
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	}
}

func (r Route) operation(s schemas, door auth.Door) map[string]any {
	done := map[string]any{"description": "done"}
	switch {
	case r.Answer != nil:
		done["content"] = map[string]any{"application/json": map[string]any{"schema": s.answer(r.Answer)}}
	case r.Media != "":
		done["content"] = map[string]any{r.Media: map[string]any{"schema": map[string]any{"type": "string"}}}
	}
	responses := r.refusals(door)
	for _, code := range r.successes() {
		responses[code] = done
	}
	op := map[string]any{"summary": r.Summary, "operationId": r.name(), "responses": responses}
	if params := r.parameters(); len(params) > 0 {
		op["parameters"] = params
	}
	if body, required := r.body(); body != nil {
		op["requestBody"] = map[string]any{"required": required, "content": map[string]any{
			"application/json": map[string]any{"schema": s.body(reflect.TypeOf(body))}}}
	}
	if r.Access != auth.ScopeNone {
		if door == auth.WebDoor {
			op["security"] = []any{map[string]any{"token": []string{}}}
		}
		op["description"] = fmt.Sprintf("Needs the scope `%s`.", r.Access)
	}
	return op
}

// successes are the codes of what was done: of a start those that tell whether
// it made the bridge, of others whatever there is.
func (r Route) successes() []string {
	if _, ok := r.Answer.(wire.Started); ok {
		return []string{"200", "201"}
	}
	return []string{"2XX"}
}

// refusals are the codes that a client of this route has to expect; default is
// for the others.
func (r Route) refusals(door auth.Door) map[string]any {
	kinds := []wire.Kind{}
	add := func(when bool, more ...wire.Kind) {
		if when {
			kinds = append(kinds, more...)
		}
	}
	body, _ := r.body()
	add(r.Access != auth.ScopeNone, wire.Forbidden)
	add(r.Access != auth.ScopeNone && door == auth.WebDoor, wire.Unauthenticated)
	add(strings.Contains(r.Path, "{"), wire.NotFound)
	add(body != nil, wire.BadRequest, wire.TooLarge)
	add(r.Method == http.MethodPost, wire.Unsupported)
	add(body != nil || len(r.Query) > 0, wire.Invalid)
	add(r.NeedsStore, wire.StoreRefused)
	all := map[string]any{"default": map[string]any{"$ref": "#/components/responses/Problem"}}
	for _, k := range kinds {
		all[strconv.Itoa(k.Status())] = all["default"]
	}
	return all
}

func (r Route) parameters() []any {
	var params []any
	for rest := r.Path; ; {
		_, behind, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		name, more, _ := strings.Cut(behind, "}")
		params = append(params, map[string]any{"name": name, "in": "path", "required": true, "schema": pathSchema(name)})
		rest = more
	}
	for _, q := range r.Query {
		params = append(params, map[string]any{"name": q.Name, "in": "query", "description": q.Doc, "schema": q.schema()})
	}
	for _, h := range r.headers() {
		params = append(params, map[string]any{"name": h.Name, "in": "header", "description": h.Doc, "schema": h.schema()})
	}
	return params
}

// headers are those of the route. What may go on in the middle takes the place
// as a query for clients that cannot set a header.
func (r Route) headers() []Param {
	all := slices.Clone(r.Headers)
	for _, q := range r.Query {
		if q.Name == "last_event_id" {
			all = append(all, Param{"Last-Event-ID", "the last id that was seen: a stream goes on behind it", q.Schema})
		}
	}
	return all
}

// body gives the example of the body, nil where none is read.
func (r Route) body() (example any, required bool) {
	if o, ok := r.Body.(Optional); ok {
		return o.Body, false
	}
	return r.Body, true
}

// name makes an operation's id: get_api_v1_instances_instance.
func (r Route) name() string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c == '{' || c == '}':
			return -1
		}
		return '_'
	}, r.Path)
	return strings.ToLower(r.Method) + clean
}

// schemas are the named objects of a document.
type schemas map[string]any

// of gives the schema of a Go type as encoding/json writes it.
func (s schemas) of(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[wire.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	if words := wordsOf(t); words != nil {
		return map[string]any{"type": "string", "enum": words}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Int32, reflect.Uint32:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if t.Name() == "" {
			return s.object(t)
		}
		if _, known := s[t.Name()]; !known {
			s[t.Name()] = nil // a type may contain itself
			s[t.Name()] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	case reflect.Interface:
		return map[string]any{}
	}
	return map[string]any{"type": "string"}
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	s.fields(t, properties, &required)
	slices.Sort(required)
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct {
			s.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		schema := s.of(f.Type)
		tagged(schema, f.Tag)
		if f.Type.Kind() == reflect.Pointer && !strings.Contains(options, "omit") {
			schema = map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
		}
		properties[name] = schema
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}

// OpenAPI is the resource that serves the document: always on the unix socket,
// on the web socket where api.openapi_enabled says so.
type OpenAPI struct {
	Version string
	Table   func() Table
	Enabled func() bool
}

// Routes gives its one route.
func (o *OpenAPI) Routes() []Route {
	return []Route{{Method: http.MethodGet, Path: "/openapi.json", Access: auth.ScopeRead, Handle: o.get,
		Summary: "This description of the API", Answer: map[string]any{}}}
}

func (o *OpenAPI) get(r *Request) Response {
	if r.Door == auth.WebDoor && !o.Enabled() {
		return Refuse(wire.NotFound, "cannot find such a page", "openapi_enabled = true in [api] of clauster.toml serves it here")
	}
	return JSON{Value: o.Table().Document(o.Version, r.Door)}
}
