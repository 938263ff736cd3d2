package api

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"clauster/pkg/wire"
)

// Reference renders the table as docs/http.md.
func (t Table) Reference() string {
	var b strings.Builder
	b.WriteString(`# HTTP reference

Generated from the route table (` + "`go test ./cmd/clauster-api -run TestReference -update`" + `); the same table makes ` + "`/openapi.json`" + `.

Two doors: the unix socket ` + "`/run/clauster/api.sock`" + ` (root and group clauster, no token) and the web socket ` + "`127.0.0.1:7621`" + `
(docs/authentication.md). Times are RFC 3339 in UTC, sizes bytes, durations seconds.

    curl --unix-socket /run/clauster/api.sock http://clauster/api/v1/instances
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7621/api/v1/instances

## Routes

| request | needs | what |
|---|---|---|
`)
	for _, r := range t {
		access := cmp.Or(string(r.Access), "nothing")
		if r.LocalOnly {
			access += ", unix socket only"
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", r.Method, r.Path, access, r.Summary)
	}
	b.WriteString("\n«needs» is the scope of a token; the unix socket and a login have `write`, which includes `read`.\n\n## Queries, headers and bodies\n")
	for _, r := range t {
		r.detail(&b)
	}
	b.WriteString("\n## Refusals\n\n`application/problem+json` (RFC 9457): `status`, `title`, `detail` (one sentence), `hint` (the next command), and `kind`, the only part to branch on:\n\n| kind | status |\n|---|---|\n")
	for _, k := range wire.Kinds() {
		fmt.Fprintf(&b, "| `%s` | %d |\n", k, k.Status())
	}
	return b.String()
}

func (r Route) detail(b *strings.Builder) {
	body, required := r.body()
	if len(r.Query) == 0 && len(r.headers()) == 0 && body == nil {
		return
	}
	fmt.Fprintf(b, "\n### %s %s\n\n", r.Method, r.Path)
	for _, q := range r.Query {
		fmt.Fprintf(b, "- `?%s=` %s\n", q.Name, q.Doc)
	}
	for _, h := range r.headers() {
		fmt.Fprintf(b, "- `%s:` %s\n", h.Name, h.Doc)
	}
	if body != nil {
		word := "body"
		if !required {
			word = "body, if any"
		}
		fmt.Fprintf(b, "- %s: `%s`\n", word, strings.Join(bodyKeys(body), "` `"))
	}
}

// bodyKeys are the JSON names of a body's fields.
func bodyKeys(body any) []string {
	properties, required := map[string]any{}, []string{}
	schemas{}.fields(reflect.TypeOf(body), properties, &required)
	return slices.Sorted(maps.Keys(properties))
}
