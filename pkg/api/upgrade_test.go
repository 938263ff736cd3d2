package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"clauster/pkg/wire"
)

const goodUpgrade = "Connection: keep-alive, Upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="

// A WebSocket of version 12 was refused in plain text.
func TestUpgradesAreRefusedAsProblems(t *testing.T) {
	logs := logsOf(1, "x", nil)
	for old, other := range map[string]string{"Version: 13": "Version: 12", "|Sec-WebSocket-Version: 13": "", "keep-alive, Upgrade": "keep-alive", "AAAA==": "AA==",
		"|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==": ""} {
		r := askLog(t, "blog", strings.Split(strings.Replace(goodUpgrade, old, other, 1), "|")...)
		res := logs.get(r)
		rec := httptest.NewRecorder()
		if _, ok := res.(noUpgrade); !ok {
			t.Errorf("%s: %T", other, res)
			continue
		}
		res.write(rec, r.Request)
		if rec.Code != 400 || rec.Header().Get("Content-Type") != wire.ProblemType || rec.Header().Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("%s: %d %v", other, rec.Code, rec.Header())
		}
	}
	if p := checkUpgrade(askLog(t, "blog", strings.Split(goodUpgrade, "|")...).Request); p != nil {
		t.Errorf("a good one: %+v", p)
	}
}
