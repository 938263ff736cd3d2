package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// webhook measures from SIGKILL of a bridge to the POST that tells of it.
func webhook(ctx context.Context, n int, instance, address string) (any, error) {
	received, err := receive(address)
	if err != nil {
		return nil, err
	}
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	inst := bridge.Instance{Project: instance}
	var ms []float64
	for range n {
		if _, err := bus.RestartUnit(ctx, inst.Unit()); err != nil { // also does not wait out the growing delay
			return nil, err
		}
		pid, err := victim(ctx, bus, inst, bridge.EventCrash)
		if err != nil {
			return nil, err
		}
		time.Sleep(500 * time.Millisecond) // the restart's own events are done with
		begin := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return nil, err
		}
		select {
		case at := <-received:
			ms = append(ms, milliseconds(at.Sub(begin)))
		case <-time.After(20 * time.Second):
			return nil, errors.New("cannot wait longer for the webhook of a crash")
		}
	}
	return figures(ms), nil
}

// receive answers webhooks and tells when one of a crash came.
func receive(address string) (<-chan time.Time, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	crashes := make(chan time.Time, 1)
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at := time.Now()
			var post struct{ Event string }
			if json.NewDecoder(r.Body).Decode(&post) == nil && post.Event == "crash" {
				crashes <- at
			}
			w.WriteHeader(http.StatusNoContent)
		}))
	}()
	return crashes, nil
}
