package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"clauster/pkg/wire"
)

// Health asks how everything is. An unhealthy API answers 503 with the same
// object, which is no error here.
func (c *Client) Health(ctx context.Context) (wire.Health, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://clauster/health", nil)
	if err != nil {
		return wire.Health{}, fmt.Errorf("cannot make the request: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return wire.Health{}, &UnreachableError{c.Socket, errors.Unwrap(err)}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return wire.Health{}, fmt.Errorf("cannot read the API's answer to GET /health: %w", err)
	}
	var h wire.Health
	if json.Unmarshal(data, &h) == nil && h.Status != "" && h.Services != nil {
		return h, nil
	}
	p := &wire.Problem{}
	if json.Unmarshal(data, p) == nil && p.Detail != "" {
		return wire.Health{}, p
	}
	return wire.Health{}, fmt.Errorf("cannot understand the API's answer to GET /health: status %s", res.Status)
}
