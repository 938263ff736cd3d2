package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestLog(t *testing.T) {
	var out strings.Builder
	log := newLogger(&out, slog.LevelInfo)
	log.Warn(`cannot use "x"`, "hint", "look here")
	log.Error("short")
	log.Error("two\nlines <0>forged")
	log.Debug("unheard")
	const want = "<4>cannot use \"x\" hint=\"look here\"\n<3>short\n<3>msg=\"two\\nlines <0>forged\"\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
