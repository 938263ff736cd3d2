package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"clauster/pkg/wire"
)

func TestKeysAreClaimedOnce(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "db"))
	ctx, now := t.Context(), time.Now()
	claim := func(who, key, hash string) (Answer, bool, error) {
		t.Helper()
		return s.ClaimKey(ctx, who, key, hash, now)
	}
	if _, first, err := claim("a", "k", "h"); !first || err != nil {
		t.Fatal(first, err)
	}
	if a, first, err := claim("a", "k", "h"); first || a.Status != 0 || err != nil {
		t.Errorf("in flight: %+v %v %v", a, first, err)
	}
	if _, _, err := claim("a", "k", "other"); !errors.Is(err, ErrOtherRequest) {
		t.Errorf("another body: %v", err)
	}
	if _, first, err := claim("b", "k", "other"); !first || err != nil {
		t.Errorf("another principal: %v %v", first, err)
	}
	if err := s.AnswerKey(ctx, "a", "k", Answer{201, []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if a, first, err := claim("a", "k", "h"); first || a.Status != 201 || string(a.Body) != "{}" || err != nil {
		t.Errorf("answered: %+v %v %v", a, first, err)
	}
	if err := s.FreeKey(ctx, "a", "k"); err != nil {
		t.Fatal(err)
	}
	if _, first, err := claim("a", "k", "h"); !first || err != nil {
		t.Errorf("freed: %v %v", first, err)
	}
	now = now.Add(keepAnswers + time.Second)
	if _, first, err := claim("a", "k", "other"); !first || err != nil {
		t.Errorf("a day later: %v %v", first, err)
	}
}

func TestLastLifeEvents(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "db"))
	at := wire.Time{Time: time.Now().UTC().Truncate(time.Millisecond)}
	_, err := s.AddEvents(t.Context(), []wire.Event{
		{ID: "1", Kind: "stop", Instance: "a", At: at, Run: "r1", Fields: map[string]string{"reason": "asked"}},
		{ID: "2", Kind: "health", Instance: "a", At: at},
		{ID: "3", Kind: "ready", Instance: "b", At: at},
		{ID: "4", Kind: "warning", Instance: "c", At: at},
	}, Position{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.LastLifeEvents(t.Context(), []string{"a", "b", "c", "d"})
	if err != nil || len(last) != 2 || last["a"].Fields["reason"] != "asked" || last["a"].Run != "r1" || !last["a"].At.Equal(at.Time) || last["b"].Kind != "ready" {
		t.Errorf("%+v, %v", last, err)
	}
}
