package api

import (
	"context"
	"net/http"
	"net/url"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/wire"
)

func (s *Instances) start(r *Request) Response {
	var q wire.StartRequest
	if p := r.Decode(&q); p != nil {
		return Refusal{p}
	}
	i, request, p := asked(q)
	if p != nil {
		return Refusal{p}
	}
	return s.keys.answer(r, q, func(ctx context.Context, again bool) Response {
		b, created, err := s.operator.Start(ctx, r.Principal.String(), i, request, again)
		return s.started(r, b, created, err)
	})
}

// asked checks a start's body.
func asked(q wire.StartRequest) (bridge.Instance, bridge.Request, *wire.Problem) {
	i := bridge.Instance{Project: q.Project, Label: q.Label}
	err := bridge.CheckProject(q.Project)
	if err == nil && q.Label != "" {
		err = bridge.CheckLabel(q.Label)
	}
	if err != nil {
		return i, bridge.Request{}, wire.NewProblem(wire.Invalid, err.Error(), "")
	}
	r, p := request(i, q.Mode, q.SpawnMode, q.PermissionMode, q.Name, q.Capacity)
	r.Fork, r.Trust = q.ResumeSessionID, q.Trust
	if p == nil {
		p = invalid(r.Validate())
	}
	return i, r, p
}

// request is a launch request of the choices in a body. Capacity is a pointer
// because 0 is no capacity, and no word for «not chosen».
func request(i bridge.Instance, m bridge.Mode, s bridge.SpawnMode, perm bridge.PermissionMode, name string, capacity *int) (bridge.Request, *wire.Problem) {
	r := bridge.Request{Instance: i.String(), Options: bridge.Options{Mode: m, SpawnMode: s, PermissionMode: perm, Name: name}}
	if capacity != nil {
		if r.Capacity = *capacity; r.Capacity == 0 { // which Validate takes for none
			return r, wire.NewProblem(wire.Invalid, "cannot use capacity 0: it must be between 1 and 1024", "")
		}
	}
	return r, invalid(r.Validate())
}

func invalid(err error) *wire.Problem {
	if err == nil {
		return nil
	}
	return wire.NewProblem(wire.Invalid, err.Error(), "")
}

// started answers 201 for a bridge that was made, 200 for one that ran.
func (s *Instances) started(r *Request, b fleet.Bridge, created bool, err error) Response {
	if err != nil {
		return refusal(err)
	}
	code := http.StatusOK
	h := http.Header{}
	if created {
		code = http.StatusCreated
		root := ""
		if r.Door == auth.WebDoor && s.RootPath != nil {
			root = s.RootPath()
		}
		h.Set("Location", root+"/api/v1/instances/"+url.PathEscape(b.Name.String()))
	}
	return JSON{Code: code, Value: wire.Started{Instance: b.Instance, Created: created}, Header: h}
}

func (s *Instances) restart(r *Request) Response {
	var q wire.RestartRequest
	if p := r.DecodeOptional(&q); p != nil {
		return Refusal{p}
	}
	return s.known(r, func(i bridge.Instance) Response {
		asked, p := request(i, q.Mode, q.SpawnMode, q.PermissionMode, q.Name, q.Capacity)
		if p != nil {
			return Refusal{p}
		}
		return s.keys.answer(r, q, func(ctx context.Context, _ bool) Response {
			b, err := s.operator.Restart(ctx, r.Principal.String(), i, asked)
			return s.started(r, b, err == nil, err)
		})
	})
}

func (s *Instances) resume(r *Request) Response {
	return s.known(r, func(i bridge.Instance) Response {
		return s.keys.answer(r, nil, func(ctx context.Context, again bool) Response {
			b, created, err := s.operator.Start(ctx, r.Principal.String(), i, bridge.Request{Instance: i.String(), Resume: true}, again)
			return s.started(r, b, created, err)
		})
	})
}
