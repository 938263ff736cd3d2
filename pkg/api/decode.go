package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"clauster/pkg/wire"
)

// decode fills a struct from one JSON object. encoding/json alone takes a field
// in any case, takes the last of two, and words its errors with Go's types.
func decode(data []byte, into any) *wire.Problem {
	fields, why := objectFields(data)
	if why != "" {
		return unreadable(why)
	}
	known := bodyKeys(reflect.ValueOf(into).Elem().Interface())
	for n, f := range fields {
		switch {
		case f.null && slices.Contains(known, f.name):
			return unreadable(fmt.Sprintf("the field %q is null: leave it out", f.name))
		case !slices.Contains(known, f.name):
			p := unreadable(fmt.Sprintf("there is no field %.64q", f.name))
			p.Hint = "the fields are " + strings.Join(known, ", ")
			return p
		case slices.ContainsFunc(fields[:n], func(o field) bool { return o.name == f.name }):
			return unreadable(fmt.Sprintf("the field %q is in it twice", f.name))
		}
	}
	err := json.Unmarshal(data, into)
	var other *json.UnmarshalTypeError
	switch {
	case errors.As(err, &other):
		got, _, _ := strings.Cut(other.Value, " ")
		return unreadable(fmt.Sprintf("the field %q is %s and has to be %s", other.Field, article(got), kindWord(other.Type)))
	case err != nil:
		return unreadable("it is not JSON")
	}
	return nil
}

// field is one of an object. null is no value of any: encoding/json takes it
// for «left out».
type field struct {
	name string
	null bool
}

// objectFields gives an object's fields, in order, or why it is no object.
func objectFields(data []byte) (fields []field, why string) {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return nil, "it is empty, and has to be a JSON object"
	case !utf8.Valid(data):
		return nil, "it is not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(data))
	first, err := d.Token()
	if err == nil && first != json.Delim('{') {
		return nil, "it has to be a JSON object: {…}"
	}
	for err == nil && d.More() {
		var name json.Token
		if name, err = d.Token(); err != nil {
			break
		}
		var value json.RawMessage
		err = d.Decode(&value)
		fields = append(fields, field{fmt.Sprint(name), string(value) == "null"})
	}
	if err == nil {
		_, err = d.Token() // }
	}
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return fields, ""
		}
		return nil, "there is something behind the object"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, "it is not JSON: it ends in the middle"
	}
	return nil, fmt.Sprintf("it is not JSON from byte %d on", d.InputOffset())
}

func unreadable(why string) *wire.Problem {
	return wire.NewProblem(wire.BadRequest, "cannot read the body: "+why, "")
}

// article words what encoding/json calls a value.
func article(value string) string {
	switch value {
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + value
	}
	return "a " + value
}

func kindWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "something else"
}
