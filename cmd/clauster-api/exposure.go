package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"clauster/pkg/auth"
	"clauster/pkg/config"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// checkExposure is ExecStartPre= of the web socket: an address that anybody
// could reach unasked does not get to listen. Refusing later, by ending the
// service, would only be an activation that fails again and again. A loopback
// address passes with a faulty configuration too: the API answers 503 there,
// and serves as soon as the file is corrected.
func checkExposure(ctx context.Context, w world, args []string) error {
	if len(args) != 1 {
		return &exitError{exitUsage, errors.New("cannot check: it wants the name of a socket unit"), "man clauster-api"}
	}
	s := &settings{source: w.source(), log: newLogger(w.stderr, slog.LevelInfo)}
	fault, cfg := s.load(), s.config()
	if fault != nil {
		cfg = &config.Config{} // nobody can say that it asks for authentication
	}
	manager := systemd.System
	if w.userMode {
		manager = systemd.User
	}
	bus, err := systemd.Connect(ctx, manager)
	if err != nil {
		return &exitError{exitUnreachable, err, "systemctl status dbus"}
	}
	defer bus.Close()
	addresses, err := bus.StreamAddresses(ctx, args[0])
	if err != nil {
		return &exitError{exitUnreachable, err, "systemctl status " + args[0]}
	}
	for _, text := range addresses {
		p := exposed(text, cfg)
		if p != nil && fault != nil {
			p = fault
		}
		if p != nil {
			return &exitError{exitConfig, p, p.Hint}
		}
	}
	return nil
}

// exposed judges an address as systemd writes it: a path, a port, or address
// and port. What cannot be read counts as every address.
func exposed(text string, cfg *config.Config) *wire.Problem {
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, "@") {
		return nil
	}
	address, err := netip.ParseAddrPort(text)
	if err != nil {
		address = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return auth.Exposed(address.Addr(), cfg.Auth)
}

// source is where the configuration is.
func (w world) source() config.Source {
	return config.Source{Path: w.configPath, UserMode: w.userMode, Environ: os.Environ(), CredentialsDir: w.getenv("CREDENTIALS_DIRECTORY")}
}
