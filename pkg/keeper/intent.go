package keeper

import (
	"context"
	"time"

	"clauster/pkg/bridge"
)

// intent is what a start was asked to be. It is kept until the bridge is
// ready: a keeper that is killed during a launch is started again by systemd,
// and its successor must launch what was asked for, not what an automatic
// restart would (it once continued an old conversation where a person had
// asked for a fresh one with another name).
type intent struct {
	Kind    startKind       `json:"kind"`
	Request *bridge.Request `json:"request,omitempty"`
}

// intend settles who asked for this start and for what, once per start that
// was asked for. The request's file is removed only after the state holds it.
func (k *keeper) intend(ctx context.Context, record *bridge.Record) (intent, error) {
	kind, err := k.kindOfStart(ctx, record)
	if err != nil {
		return intent{}, err
	}
	k.unattended = kind != manual
	if kind == automatic && k.st.Intent != nil {
		k.unattended = k.st.Intent.Kind != manual
		k.forgetRequest(k.st.Intent.Request)
		return *k.st.Intent, nil
	}
	if kind == boot && k.askedThisBoot() {
		kind, k.unattended = manual, false
	}
	failpoint("intending")
	in := intent{Kind: kind}
	if kind == manual || record != nil && record.BootID != k.boot {
		k.settleUnseen(ctx, record)
	}
	if kind == manual {
		k.st.Crashes, k.st.Tries, k.st.Next, k.st.Fresh, k.st.LastEnd, k.st.LastStatus = 0, 0, time.Time{}, false, "", ""
		if in.Request, err = k.records().ReadRequest(k.inst, time.Now()); err != nil {
			_ = k.records().RemoveRequest(k.inst)
			return in, &badRequestError{err}
		}
		if k.isOld(in.Request) {
			in.Request = nil
		}
	}
	k.st.Intent, k.st.Unsettled = &in, false
	if err := k.save(); err != nil {
		return in, err
	}
	failpoint("intended")
	if in.Request == nil {
		_ = k.records().RemoveRequest(k.inst) // expired
	}
	k.forgetRequest(in.Request)
	return in, nil
}

// askedThisBoot reports whether somebody asked for this very start although the
// manager is still coming up, which may take minutes (a bridge that waits for
// the network is part of it).
func (k *keeper) askedThisBoot() bool {
	r, err := k.records().ReadRequest(k.inst, time.Now())
	return err == nil && r != nil && r.BootID != "" && !k.isOld(r)
}

// isOld reports whether a request was made before the host's last boot. One
// that was taken then may have come back: its removal is not synced, and a
// power cut undoes it.
func (k *keeper) isOld(r *bridge.Request) bool {
	return r != nil && r.BootID != "" && r.BootID != k.boot
}

// forgetRequest removes the request's file if it is this request: one that was
// written since belongs to the next start.
func (k *keeper) forgetRequest(taken *bridge.Request) {
	if taken == nil {
		return
	}
	now, err := k.records().ReadRequest(k.inst, time.Time{})
	if err == nil && now != nil && now.Expires.Equal(taken.Expires) {
		_ = k.records().RemoveRequest(k.inst)
	}
}

// badRequestError is a request that cannot be understood.
type badRequestError struct{ err error }

func (e *badRequestError) Error() string { return e.err.Error() }
func (e *badRequestError) Unwrap() error { return e.err }
