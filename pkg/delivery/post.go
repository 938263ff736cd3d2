package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/store"
)

// maxResponse bounds what is read of an endpoint's answer; nothing is done
// with it.
const maxResponse = 16 << 10

// poster posts events to one webhook.
type poster struct {
	url     string
	secret  []byte // nil: not signed
	agent   string // User-Agent
	timeout time.Duration
	client  *http.Client
	hide    secrets
}

// newPoster makes a poster; guard is nil where private targets are allowed.
func newPoster(rawURL, secret, version string, timeout time.Duration, g *guard) *poster {
	t := &http.Transport{
		Proxy:                  nil, // a proxy would resolve and dial unguarded
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxResponse,
		MaxIdleConns:           1,
		IdleConnTimeout:        10 * time.Second,
	}
	if g != nil {
		t.DialContext = g.DialContext
	}
	return &poster{url: rawURL, secret: signingKey(secret), agent: "clauster/" + version, timeout: timeout, hide: secretsOf(rawURL, secret),
		client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signingKey is the key in webhooks.secret: base64 behind whsec_, as the
// Standard Webhooks convention has it, else the text itself.
func signingKey(secret string) []byte {
	if secret == "" {
		return nil
	}
	if coded, found := strings.CutPrefix(secret, "whsec_"); found {
		if raw, err := base64.StdEncoding.DecodeString(coded); err == nil && len(raw) > 0 {
			return raw
		}
	}
	return []byte(secret)
}

// sign is the value of webhook-signature.
func sign(secret []byte, id, timestamp, body string) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// send posts one delivery.
func (p *poster) send(ctx context.Context, o store.Outgoing) result {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(o.Body))
	if err != nil {
		return result{err: "cannot use this URL"}
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set("webhook-id", o.EventID)
	req.Header.Set("webhook-timestamp", timestamp)
	if p.secret != nil {
		req.Header.Set("webhook-signature", sign(p.secret, o.EventID, timestamp, o.Body))
	}
	res, err := p.client.Do(req)
	if err != nil {
		return result{err: p.explain(err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxResponse)
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return result{res.StatusCode, fmt.Sprintf("the endpoint answered %d: redirects are not followed", res.StatusCode)}
	case res.StatusCode < 200 || res.StatusCode >= 300:
		return result{res.StatusCode, fmt.Sprintf("the endpoint answered %d", res.StatusCode)}
	}
	return result{code: res.StatusCode}
}

// explain says why a post failed. *url.Error prints the whole URL: only what
// is inside of it is said.
func (p *poster) explain(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", p.timeout)
	}
	return p.hide.clean(err)
}

// close lets go of a connection that is kept.
func (p *poster) close() { p.client.CloseIdleConnections() }
