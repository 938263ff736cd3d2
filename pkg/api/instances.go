package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/wire"
)

// InstanceTable is the view of all instances; *fleet.Table is the real one.
type InstanceTable interface {
	// Wait returns when the table is current; its error says why it is not.
	Wait(ctx context.Context) error
	Version() uint64
	List() []wire.Instance
	Get(i bridge.Instance) (fleet.Bridge, bool)
	// Resolve finds what a name means; its errors are a *bridge.NameError, a
	// *fleet.UnknownError or a *fleet.AmbiguousError.
	Resolve(name string) (bridge.Instance, error)
}

// InstanceOperator changes instances; *fleet.Operator is the real one. Its
// errors are a *wire.Problem.
type InstanceOperator interface {
	Start(ctx context.Context, by string, i bridge.Instance, r bridge.Request, again bool) (fleet.Bridge, bool, error)
	// Restart keeps what was chosen at the last launch, as far as r is silent.
	Restart(ctx context.Context, by string, i bridge.Instance, r bridge.Request) (fleet.Bridge, error)
	Stop(ctx context.Context, by string, i bridge.Instance) (fleet.Bridge, bool, error)
	Forget(ctx context.Context, by string, i bridge.Instance) error
	AskKeeper(ctx context.Context, b *fleet.Bridge)
	Link(ctx context.Context, i bridge.Instance) (string, error)
}

// Instances is the resource of the bridges.
type Instances struct {
	// RootPath is where a reverse proxy serves the web door; nil is at /.
	RootPath func() string

	table    InstanceTable
	operator InstanceOperator
	keys     *keyring

	mu     sync.Mutex // over the encoded list
	listed uint64
	list   []byte
}

// NewInstances makes the resource. keys keeps answers to requests with an
// Idempotency-Key; nil while there is no store. life ends with the process: a
// start under a key goes on without the client who asked for it.
func NewInstances(life context.Context, t InstanceTable, o InstanceOperator, keys func() KeyStore) *Instances {
	return &Instances{table: t, operator: o, keys: newKeyring(life, keys)}
}

// Routes gives its routes.
func (s *Instances) Routes() []Route {
	const all, one = "/api/v1/instances", "/api/v1/instances/{instance}"
	keyed := []Param{keyHeader()}
	return []Route{
		{Method: http.MethodGet, Path: all, Access: auth.ScopeRead, Handle: s.getAll,
			Summary: "All instances: loaded, enabled or recorded", Answer: []wire.Instance{}},
		{Method: http.MethodPost, Path: all, Access: auth.ScopeWrite, NeedsStore: true, Handle: s.start,
			Summary: "Start a bridge and wait until it serves: 201, or 200 with created false where it runs already. With the header Idempotency-Key (up to 128 visible characters) a repeat is answered what the first was",
			Headers: keyed, Body: wire.StartRequest{}, Answer: wire.Started{}},
		{Method: http.MethodGet, Path: one, Access: auth.ScopeRead, Handle: s.get,
			Summary: "One instance; who may write sees what its keeper knows too, such as links", Answer: wire.Instance{}},
		{Method: http.MethodDelete, Path: one, Access: auth.ScopeWrite, NeedsStore: true, Handle: s.stop,
			Summary: "Stop a bridge and wait until it is gone", Answer: wire.Stopped{}},
		{Method: http.MethodPost, Path: one + "/restart", Access: auth.ScopeWrite, NeedsStore: true, Handle: s.restart,
			Summary: "Stop a bridge, start it with its recorded choices, or those of the body, and a fresh conversation, and wait until it serves",
			Headers: keyed, Body: Optional{wire.RestartRequest{}}, Answer: wire.Started{}},
		{Method: http.MethodPost, Path: one + "/resume", Access: auth.ScopeWrite, NeedsStore: true, Handle: s.resume,
			Summary: "Start a bridge that is down with its recorded choices and conversation",
			Headers: keyed, Answer: wire.Started{}},
		{Method: http.MethodPost, Path: one + "/forget", Access: auth.ScopeWrite, NeedsStore: true, Handle: s.forget,
			Summary: "Drop the launch record of a bridge that is down", Answer: wire.Forgotten{}},
		{Method: http.MethodGet, Path: one + "/qr", Access: auth.ScopeWrite, Handle: s.qr,
			Summary: "A QR code of the bridge's link", Media: svgType},
	}
}

// tablePatience is how long a request waits for systemd to be heard again.
const tablePatience = 5 * time.Second

// current waits until the table is.
func (s *Instances) current(ctx context.Context) *wire.Problem {
	ctx, cancel := context.WithTimeout(ctx, tablePatience)
	defer cancel()
	if err := s.table.Wait(ctx); err != nil {
		return wire.NewProblem(wire.Unavailable, err.Error(), "systemctl status dbus.service")
	}
	return nil
}

// Resolve finds the instance that a path means: its name, a project with
// exactly one instance, or the beginning of a run's id.
func (s *Instances) Resolve(ctx context.Context, name string) (bridge.Instance, *wire.Problem) {
	if p := s.current(ctx); p != nil {
		return bridge.Instance{}, p
	}
	i, err := s.table.Resolve(name)
	var several *fleet.AmbiguousError
	var unknown *fleet.UnknownError
	switch {
	case err == nil:
		return i, nil
	case errors.As(err, &several):
		p := wire.NewProblem(wire.Conflict, err.Error(), "name one of the candidates")
		p.Candidates = several.Candidates
		return i, p
	case errors.As(err, &unknown):
		return i, wire.NewProblem(wire.NotFound, err.Error(), "GET /api/v1/instances lists what there is")
	}
	// No instance can have this name.
	return i, wire.NewProblem(wire.NotFound, err.Error(), "an instance is PROJECT or PROJECT:LABEL")
}

// ResolvePast is Resolve for what outlives an instance: a name that is not
// known (any more) is one if the log of an instance of that name has a line.
func (s *Instances) ResolvePast(last func(ctx context.Context, i bridge.Instance, lines int) ([]wire.LogLine, error)) func(context.Context, string) (bridge.Instance, *wire.Problem) {
	return func(ctx context.Context, name string) (bridge.Instance, *wire.Problem) {
		i, p := s.Resolve(ctx, name)
		if p == nil || p.Kind != wire.NotFound {
			return i, p
		}
		past, err := bridge.ParseInstance(name)
		if err != nil {
			return i, p
		}
		ctx, cancel := context.WithTimeout(ctx, logReadTime)
		defer cancel()
		lines, err := last(ctx, past, 1)
		switch {
		case err != nil:
			return i, wire.NewProblem(wire.Unavailable, fmt.Sprintf("cannot read the log of %s: %v", past, err), "journalctl -u "+past.Unit())
		case len(lines) == 0:
			return i, p
		}
		return past, nil
	}
}

func (s *Instances) getAll(r *Request) Response {
	if p := s.current(r.Context()); p != nil {
		return Refusal{p}
	}
	body, err := s.encoded()
	if err != nil {
		return Refuse(wire.Internal, "cannot encode the answer", "")
	}
	return Text{Media: "application/json", Body: body}
}

// encoded is the list as JSON, made anew when something has changed: encoding
// 200 instances takes longer than everything else together.
func (s *Instances) encoded() ([]byte, error) {
	version := s.table.Version()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list != nil && s.listed == version {
		return s.list, nil
	}
	body, err := json.Marshal(s.table.List())
	if err != nil {
		return nil, err
	}
	s.list, s.listed = append(body, '\n'), version
	return s.list, nil
}

func (s *Instances) get(r *Request) Response {
	i, p := s.Resolve(r.Context(), r.PathValue("instance"))
	if p != nil {
		return Refusal{p}
	}
	b, ok := s.table.Get(i)
	if !ok {
		return Refuse(wire.NotFound, "there is no instance "+i.String(), "")
	}
	if r.Principal.May(auth.ScopeWrite) {
		s.operator.AskKeeper(r.Context(), &b)
	}
	return JSON{Value: b.Instance}
}

func refusal(err error) Response {
	var p *wire.Problem
	if errors.As(err, &p) {
		return Refusal{p}
	}
	return Refuse(wire.Internal, fmt.Sprintf("cannot do that: %s", err), "journalctl -u clauster-api")
}

// known runs f for an instance that is known.
func (s *Instances) known(r *Request, f func(i bridge.Instance) Response) Response {
	i, p := s.Resolve(r.Context(), r.PathValue("instance"))
	if p != nil {
		return Refusal{p}
	}
	return f(i)
}

func (s *Instances) stop(r *Request) Response {
	return s.known(r, func(i bridge.Instance) Response {
		b, stopped, err := s.operator.Stop(r.Context(), r.Principal.String(), i)
		if err != nil {
			return refusal(err)
		}
		return JSON{Value: wire.Stopped{Instance: b.Instance, Stopped: stopped}}
	})
}

func (s *Instances) forget(r *Request) Response {
	return s.known(r, func(i bridge.Instance) Response {
		b, _ := s.table.Get(i)
		if err := s.operator.Forget(r.Context(), r.Principal.String(), i); err != nil {
			return refusal(err)
		}
		return JSON{Value: wire.Forgotten{Host: b.Host, Instance: i.String(), Forgotten: true}}
	})
}

func (s *Instances) qr(r *Request) Response {
	return s.known(r, func(i bridge.Instance) Response {
		link, err := s.operator.Link(r.Context(), i)
		if err != nil {
			return refusal(err)
		}
		body, err := qrSVG(link)
		if err != nil {
			return Refuse(wire.Failed, "cannot make a QR code: "+err.Error(), "")
		}
		return Text{Media: svgType, Body: body}
	})
}
