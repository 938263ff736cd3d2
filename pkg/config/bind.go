package config

import (
	"reflect"
	"strings"
)

// bind puts a value into the struct field that its path names by toml tags.
// Path and value come from the schema, so a path without a field is a bug that
// TestEveryKeyHasAField finds; bind reports it and never panics.
func bind(target reflect.Value, path []string, value any) bool {
	switch target.Kind() {
	case reflect.Struct:
		field, ok := fieldByTag(target, path[0])
		if !ok {
			return false
		}
		if len(path) == 1 {
			return assign(field, value)
		}
		return bind(field, path[1:], value)
	case reflect.Map:
		if target.IsNil() {
			target.Set(reflect.MakeMap(target.Type()))
		}
		item := reflect.New(target.Type().Elem()).Elem()
		key := reflect.ValueOf(path[0])
		if old := target.MapIndex(key); old.IsValid() {
			item.Set(old)
		}
		if len(path) == 1 && !assign(item, value) || len(path) > 1 && !bind(item, path[1:], value) {
			return false
		}
		target.SetMapIndex(key, item)
		return true
	}
	return false
}

// fieldByTag finds the field with a toml tag, embedded structs included.
func fieldByTag(target reflect.Value, tag string) (reflect.Value, bool) {
	t := target.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
		if name == tag {
			return target.Field(i), true
		}
		if t.Field(i).Anonymous {
			if f, ok := fieldByTag(target.Field(i), tag); ok {
				return f, true
			}
		}
	}
	return reflect.Value{}, false
}

func assign(field reflect.Value, value any) bool {
	v := reflect.ValueOf(value)
	if !v.IsValid() || !v.CanConvert(field.Type()) {
		return false
	}
	// int64 converts to string as a code point: only like to like.
	if (v.Kind() == reflect.String) != (field.Kind() == reflect.String) {
		return false
	}
	field.Set(v.Convert(field.Type()))
	return true
}
