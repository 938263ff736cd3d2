package auth

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/store"
)

// lasting is a request that was admitted once and lasts.
func (s *site) lasting(headers ...string) (judge func() string) {
	s.t.Helper()
	r := httptest.NewRequest("GET", "/stream", nil)
	r.Host, r.RemoteAddr = "localhost:"+s.port, "127.0.0.1:1"
	local, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	ctx := context.WithValue(s.t.Context(), http.LocalAddrContextKey, local)
	ctx = context.WithValue(ctx, connKey{}, &peer{owner: func() (int, ownership) { return 1, owned }, name: func() string { return "ann" }})
	r = r.WithContext(ctx)
	first, problem := s.gate.Admit(r, WebDoor)
	if problem != nil {
		s.t.Fatalf("%v: %+v", headers, problem)
	}
	if !first.Known() {
		s.t.Fatalf("%v: %v", headers, first)
	}
	r = r.WithContext(Again(ctx, s.clock()))
	return func() string {
		who, problem := s.gate.Admit(r, WebDoor)
		if problem != nil {
			return string(problem.Kind)
		}
		return string(who.Kind)
	}
}

// A token that is judged again is not used again, and ends when it is revoked.
func TestAgainToken(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.Auth.Enabled = true })
	db := s.gate.store.(*store.Store)
	token := NewToken(TokenPrefix)
	if err := db.AddToken(t.Context(), store.Token{ID: "1", Label: "ci", Scope: "read", Created: s.clock()}, HashToken(token)); err != nil {
		t.Fatal(err)
	}
	judge := s.lasting("Authorization", "Bearer "+token)
	used := s.clock()
	s.sleep(time.Hour)
	if got := judge(); got != "token" {
		t.Errorf("after an hour: %s", got)
	}
	if n, err := db.TokenNamed(t.Context(), "ci", s.clock()); err != nil || !n.Used.Equal(used) {
		t.Errorf("used %v, want %v (%v)", n.Used, used, err)
	}
	if err := db.RevokeToken(t.Context(), "1", s.clock()); err != nil {
		t.Fatal(err)
	}
	if got := judge(); got != "unauthenticated" {
		t.Errorf("revoked: %s", got)
	}
}

// A session that nobody uses but a stream ends when it is idle.
func TestAgainSession(t *testing.T) {
	s := withPassword(t, func(c *config.Config) { c.Auth.SessionIdleSeconds = 600 })
	log := func() func() string { return s.lasting("Cookie", s.logIn()[len("Cookie: "):]) }
	idle := log()
	s.sleep(9 * time.Minute)
	if got := idle(); got != "session" {
		t.Errorf("after nine minutes: %s", got)
	}
	s.sleep(time.Minute)
	if got := idle(); got != "nobody" {
		t.Errorf("after ten: %s", got)
	}
	out := log()
	if _, problem := s.gate.Logout(httptest.NewRequest("POST", "/logout", nil)); problem != nil {
		t.Fatal(problem)
	}
	if got := out(); got != "nobody" {
		t.Errorf("after a logout: %s", got)
	}
}

// What the proxy signed was true then, however long the stream lasts.
func TestAgainProxy(t *testing.T) {
	s := newSite(t, func(c *config.Config) {
		c.Auth.Enabled = true
		p := &c.Auth.ReverseProxy
		p.Enabled, p.TrustedIPs, p.SharedSecret = true, []string{"127.0.0.1"}, "key"
	})
	at := s.clock().Unix()
	judge := s.lasting("Remote-User", "ann", "X-Proxy-Auth", fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(signatureOf("key", "ann", at, "GET", "/stream"))))
	s.sleep(time.Hour)
	if got := judge(); got != "proxy" {
		t.Errorf("an hour later: %s", got)
	}
	s.change(func(c *config.Config) { c.Auth.ReverseProxy.SharedSecret = "another" })
	if got := judge(); got != "unauthenticated" {
		t.Errorf("with another secret: %s", got)
	}
}

// Authentication that is switched on asks those who are in already.
func TestAgainOpen(t *testing.T) {
	s := newSite(t, nil)
	judge := s.lasting()
	if got := judge(); got != "open" {
		t.Error(got)
	}
	s.change(func(c *config.Config) { c.Auth.Enabled = true })
	if got := judge(); got != "nobody" {
		t.Errorf("switched on: %s", got)
	}
}
