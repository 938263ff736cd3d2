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
}

// config is what is in force.
func (s *settings) config() *config.Config { return s.current.Load() }

// faulty is what is wrong with the file, nil where nothing is.
func (s *settings) faulty() *wire.Problem { return s.fault.Load() }

// load reads the configuration and puts it in force, or says why not.
func (s *settings) load() *wire.Problem {
	s.loading.Lock()
	defer s.loading.Unlock()
	cfg, report := config.Load(s.source)
	for _, w := range report.Warnings {
		s.log.Warn(w.String())
	}
	if err := report.Err(); err != nil {
		for _, f := range report.Faults {
			s.log.Error(f.String())
		}
		hint := "clauster-ctl config check"
		var fault *config.FaultError
		if errors.As(err, &fault) && fault.Hint() != "" {
			hint = fault.Hint()
		}
		p := wire.NewProblem(wire.Unavailable, err.Error(), hint)
		s.fault.Store(p)
		if s.current.Load() == nil {
			s.current.Store(cfg)
		}
		return p
	}
	s.fault.Store(nil)
	s.good.Store(true)
	s.current.Store(cfg)
	for _, f := range s.changed {
		f(cfg)
	}
	return nil
}
