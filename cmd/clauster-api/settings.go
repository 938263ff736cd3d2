package main

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"clauster/pkg/config"
	"clauster/pkg/wire"
)

// settings are the configuration in force, and what is wrong with the one on
// disk. A faulty file never replaces a good configuration; at the start there
// is none yet, so the defaults stand in and the web door stays closed.
type settings struct {
	source config.Source
	log    *slog.Logger

	loading sync.Mutex
	current atomic.Pointer[config.Config]
	fault   atomic.Pointer[wire.Problem]
	good    atomic.Bool            // what is in force was read without a fault
	changed []func(*config.Config) // in order; each must not block
	// check says what else a reloaded configuration needs and has not; read is
	// called after each look at the file. Both may be nil.
	check func(*config.Config) *wire.Problem
	read  func()
}

// config is what is in force.
func (s *settings) config() *config.Config { return s.current.Load() }

// faulty is what is wrong with the file, nil where nothing is.
func (s *settings) faulty() *wire.Problem { return s.fault.Load() }

// tell has f called after each look at the file from now on.
func (s *settings) tell(f func()) {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.read = f
}

// load reads the configuration and puts it in force, or says why not.
func (s *settings) load() *wire.Problem {
	s.loading.Lock()
	defer s.loading.Unlock()
	if s.read != nil {
		defer s.read()
	}
	cfg, report := config.Load(s.source)
	for _, w := range report.Warnings {
		s.log.Warn(w.String())
	}
	p := s.judge(cfg, report)
	s.fault.Store(p)
	switch {
	case p == nil:
		s.good.Store(true)
		s.current.Store(cfg)
		for _, f := range s.changed {
			f(cfg)
		}
	case s.current.Load() == nil:
		s.current.Store(cfg)
	}
	return p
}

// judge says why a configuration is not put in force, nil where it is.
func (s *settings) judge(cfg *config.Config, report *config.Report) *wire.Problem {
	err := report.Err()
	if err == nil {
		if s.check == nil {
			return nil
		}
		return s.check(cfg)
	}
	for _, f := range report.Faults {
		s.log.Error(f.String())
	}
	hint := "clauster-ctl config check"
	var fault *config.FaultError
	if errors.As(err, &fault) && fault.Hint() != "" {
		hint = fault.Hint()
	}
	return wire.NewProblem(wire.Unavailable, err.Error(), hint)
}
