package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// KeyStore remembers answers; *store.Store is the real one.
type KeyStore interface {
	ClaimKey(ctx context.Context, who, key, hash string, now time.Time) (a store.Answer, first bool, err error)
	AnswerKey(ctx context.Context, who, key string, a store.Answer) error
	FreeKey(ctx context.Context, who, key string) error
}

// IdempotencyHeader makes a repeated request one request.
const IdempotencyHeader = "Idempotency-Key"

// keyHeader describes it.
func keyHeader() Param {
	return Param{IdempotencyHeader, "a word of up to 128 visible characters: requests with the same one are one request for a day", Schema{"type": "string", "pattern": "^[!-~]{1,128}$"}}
}

// replayedHeader marks an answer that was given before.
const replayedHeader = "Idempotency-Replayed"

const maxKey = 128

// keyring makes requests with the same Idempotency-Key of the same principal
// one request: while it runs the others wait for it, afterwards they get its
// answer, also from the next process. A request that this program did not live
// to answer is begun again, which finds what is there.
type keyring struct {
	life  context.Context
	store func() KeyStore

	mu   sync.Mutex
	runs map[[2]string]chan struct{} // by principal and key; closed at the end
}

func newKeyring(life context.Context, s func() KeyStore) *keyring {
	return &keyring{life: life, store: s, runs: map[[2]string]chan struct{}{}}
}

// answer runs f, or gives the answer that it gave. again tells f that an
// earlier process may have begun it. body is what was read of the request.
func (k *keyring) answer(r *Request, body any, f func(ctx context.Context, again bool) Response) Response {
	keys := r.Header.Values(IdempotencyHeader)
	if len(keys) == 0 {
		return f(r.Context(), false)
	}
	if len(keys) > 1 || !validKey(keys[0]) {
		return Refuse(wire.BadRequest, "cannot use the header Idempotency-Key: it is one word of up to 128 visible characters", "uuidgen makes one")
	}
	s := k.store()
	if s == nil {
		return Refuse(wire.StoreRefused, "cannot promise that this happens once: there is no database", "send it without Idempotency-Key")
	}
	who, key := principalKey(r.Principal), keys[0]
	free, problem := k.enter(r.Context(), who, key)
	if problem != nil {
		return Refusal{problem}
	}
	defer free()
	known, first, err := s.ClaimKey(r.Context(), who, key, requestHash(r, body), time.Now())
	switch {
	case errors.Is(err, store.ErrOtherRequest):
		return Refuse(wire.Conflict, "cannot use this Idempotency-Key: it was used for another request", "uuidgen makes a new one")
	case err != nil:
		return refusal(err)
	case known.Status != 0:
		return replay(known)
	}
	return k.run(r.Context(), s, who, key, func(ctx context.Context) Response { return f(ctx, !first) })
}

// run runs f without the client, whose connection may be gone before the end:
// the answer is for his next try.
func (k *keyring) run(request context.Context, s KeyStore, who, key string, f func(context.Context) Response) Response {
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	defer cancel()
	defer context.AfterFunc(k.life, cancel)()
	res := f(ctx)
	if k.life.Err() != nil {
		return res // it is being stopped: what came of it is asked of systemd by the next one
	}
	var err error
	if a, done := answerOf(res); done {
		err = s.AnswerKey(ctx, who, key, a)
	} else {
		err = s.FreeKey(ctx, who, key)
	}
	if err != nil {
		return refusal(err)
	}
	return res
}

// enter waits until nobody else runs under the key.
func (k *keyring) enter(ctx context.Context, who, key string) (free func(), p *wire.Problem) {
	id := [2]string{who, key}
	for {
		k.mu.Lock()
		other := k.runs[id]
		if other == nil {
			mine := make(chan struct{})
			k.runs[id] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				delete(k.runs, id)
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, wire.NewProblem(wire.Conflict, "cannot wait longer: the first request with this Idempotency-Key is still running", "")
		}
	}
}

// answerOf gives what is remembered of a response: that it was done, or tried.
// A refusal before anything happened is not, so that a repeat may succeed.
func answerOf(res Response) (store.Answer, bool) {
	switch v := res.(type) {
	case JSON:
		body, err := json.Marshal(v.Value)
		code := v.Code
		if code == 0 {
			code = http.StatusOK
		}
		return store.Answer{Status: code, Body: append(body, '\n')}, err == nil
	case Refusal:
		body, err := json.Marshal(v.Problem)
		return store.Answer{Status: v.Code, Body: append(body, '\n')}, err == nil && v.Kind == wire.Failed
	}
	return store.Answer{}, false
}

func replay(a store.Answer) Response {
	media := "application/json"
	if a.Status >= 400 {
		media = wire.ProblemType
	}
	return Text{Media: media, Code: a.Status, Body: a.Body, Header: http.Header{replayedHeader: {"true"}}}
}

func validKey(s string) bool {
	return s != "" && len(s) <= maxKey && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// principalKey tells principals apart. The session of a login changes while
// the person is the same.
func principalKey(p auth.Principal) string {
	if p.Kind == auth.Token {
		return p.String() + "#" + p.ID
	}
	return p.String()
}

// requestHash identifies what is asked.
func requestHash(r *Request, body any) string {
	var b bytes.Buffer
	b.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n")
	_ = json.NewEncoder(&b).Encode(body) // of a type that was decoded from JSON
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}
