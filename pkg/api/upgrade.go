package api

import (
	"encoding/base64"
	"net/http"
	"strings"

	"clauster/pkg/wire"
)

// checkUpgrade refuses what cannot become a WebSocket (RFC 6455, 4.2.1). The
// library does it as well, in plain text, after a viewer was had.
func checkUpgrade(r *http.Request) Response {
	refuse := func(why, hint string) Response {
		return noUpgrade{Refusal{wire.NewProblem(wire.BadRequest, "cannot open a WebSocket: "+why, hint)}}
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	switch {
	case !r.ProtoAtLeast(1, 1) || !hasToken(r.Header.Values("Connection"), "upgrade"):
		return refuse("the request does not ask for an upgrade of its connection", "send Connection: Upgrade over HTTP/1.1; a reverse proxy has to pass it on")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return refuse("its version is not 13", "send Sec-WebSocket-Version: 13")
	case len(keys) != 1 || !isWebSocketKey(keys[0]):
		return refuse("the header Sec-WebSocket-Key has to be there once, with 16 bytes in base64", "")
	}
	return nil
}

// noUpgrade tells the version that is spoken here, as RFC 6455 wants it.
type noUpgrade struct{ Refusal }

func (n noUpgrade) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	n.Refusal.write(w, r)
}

func isWebSocketKey(s string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	return err == nil && len(key) == 16
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
