package auth

import (
	"context"
	"runtime"
	"strings"
	"testing"
)

func TestPassword(t *testing.T) {
	text, err := HashPassword("correct horse")
	if err != nil || !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatal(text, err)
	}
	p, err := parsePHC(text)
	if err != nil || p.String() != text {
		t.Fatal(p, err)
	}
	if !p.matches("correct horse") || p.matches("correct horsf") || p.matches("") || p.matches(strings.Repeat("a", maxPassword+1)) {
		t.Error("matches")
	}
	if again, _ := HashPassword("correct horse"); again == text {
		t.Error("no salt")
	}
	for _, bad := range []string{"", "ninechars", strings.Repeat("a", maxPassword+1)} {
		if _, err := HashPassword(bad); err == nil {
			t.Errorf("took %d characters", len(bad))
		}
	}
	for bad, want := range map[string]string{"ééééé": "shorter than 10 characters", "correct h\xf6rse": "not UTF-8"} {
		if _, err := HashPassword(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := HashPassword("éééééééééé"); err != nil {
		t.Error(err)
	}
	if nobodysHash().matches("") {
		t.Error("nobody has a password")
	}
}

// The hash of argon2-cffi, which the Python Clauster uses (reference vector of
// the argon2 command: password «password», salt «somesalt»).
func TestForeignHash(t *testing.T) {
	p, err := parsePHC("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil {
		t.Fatal(err)
	}
	if !p.matches("password") || p.matches("Password") {
		t.Error("matches")
	}
}

func TestBadPHC(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, text := range []string{"", "$", "$$$$$", "$argon2id$v=19$m=19456,t=2,p=1$" + salt, "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=4000000000,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=4000000000,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=19456,t=2,p=255$" + salt + "$" + sum,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + sum,
		"$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + sum, "$argon2id$v=19$m=19456,t=2,p=1,x=1$" + salt + "$" + sum, "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$$" + sum, "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$", "$argon2id$v=19$m=19456,t=2,p=1$!!!!$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 400), "x$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum} {
		if p, err := parsePHC(text); err == nil {
			t.Errorf("%s: %+v", text, p)
		}
	}
}

// One inside, eight waiting, the next is sent away; whoever gives up leaves.
func TestSlots(t *testing.T) {
	s := newSlots()
	leave, ok := s.enter(t.Context())
	if !ok {
		t.Fatal("not the first")
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan bool)
	for range maxWaiting {
		go func() { _, ok := s.enter(ctx); gone <- ok }()
	}
	for len(s.waiting) < maxWaiting+1 {
		runtime.Gosched() // each takes its place without waiting
	}
	if _, ok := s.enter(t.Context()); ok {
		t.Error("one too many")
	}
	cancel()
	for range maxWaiting {
		if <-gone {
			t.Error("two inside")
		}
	}
	leave()
	if leave, ok = s.enter(t.Context()); !ok {
		t.Error("nobody left")
	} else {
		leave()
	}
}
