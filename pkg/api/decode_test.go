package api

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"clauster/pkg/wire"
)

func decodeBody(body string, optional bool) (wire.StartRequest, *wire.Problem) {
	var q wire.StartRequest
	req := httptest.NewRequest("POST", "/", io.NopCloser(strings.NewReader(body))) // of unknown length
	req.Header.Set("Content-Type", "application/json")
	r := &Request{Request: req}
	if optional {
		return q, r.DecodeOptional(&q)
	}
	return q, r.Decode(&q)
}

// Bodies were refused in the words of Go's types, and taken with fields in any
// case and twice.
func TestBodiesAreReadStrictly(t *testing.T) {
	for body, want := range map[string]string{
		``:                                 "it is empty, and has to be a JSON object",
		" \n":                              "it is empty, and has to be a JSON object",
		`[]`:                               "it has to be a JSON object: {…}",
		`null`:                             "it has to be a JSON object: {…}",
		`"x"`:                              "it has to be a JSON object: {…}",
		`{`:                                "it is not JSON: it ends in the middle",
		`{"project":`:                      "it is not JSON: it ends in the middle",
		`{"project" "x"}`:                  "it is not JSON from byte",
		`x`:                                "it is not JSON from byte",
		`{"project":"a"} {}`:               "there is something behind the object",
		`{"project":"a"}x`:                 "there is something behind the object",
		"{\"project\":\"\xff\"}":           "it is not UTF-8",
		`{"PROJECT":"a"}`:                  `there is no field "PROJECT"`,
		`{"project":"a","what":1}`:         `there is no field "what"`,
		`{"project":"a","project":"b"}`:    `the field "project" is in it twice`,
		`{"project":"a","projec\u0074":1}`: `the field "project" is in it twice`,
		`{"project":1}`:                    `the field "project" is a number and has to be a string`,
		`{"project":{}}`:                   `the field "project" is an object and has to be a string`,
		`{"project":"a","capacity":1.5}`:   `the field "capacity" is a number and has to be a whole number`,
		`{"project":"a","capacity":"1"}`:   `the field "capacity" is a string and has to be a whole number`,
		`{"project":"a","trust":"yes"}`:    `the field "trust" is a string and has to be true or false`,
		`{"project":"a","capacity": null}`: `the field "capacity" is null: leave it out`,
		`{"project":true}`:                 `the field "project" is true or false and has to be a string`,
	} {
		_, p := decodeBody(body, false)
		if p == nil || p.Kind != wire.BadRequest || !strings.HasPrefix(p.Detail, "cannot read the body: "+want) || strings.Contains(p.Detail, "wire.") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if _, p := decodeBody(`{"project":"a","capacity":3,"trust":true}`, false); p != nil {
		t.Error(p)
	}
	if _, p := decodeBody("", true); p != nil {
		t.Errorf("an optional body: %v", p)
	}
	if _, p := decodeBody("[]", true); p == nil {
		t.Error("a body that is there is read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"project":"a","capacity":3}`))
	f.Add([]byte(`{"project":[{"x":1}]} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		var q wire.StartRequest
		if p := decode(data, &q); p != nil && (p.Kind != wire.BadRequest || strings.Contains(p.Detail, "wire.")) {
			t.Errorf("%q: %+v", data, p)
		}
	})
}
