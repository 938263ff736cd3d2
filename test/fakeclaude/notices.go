package main

import (
	"sort"
	"strings"
	"time"
)

// notice is a text of claude-cli.md §10.8 that a running bridge shows; where
// only the stable part is known, only that is shown.
type notice struct {
	text string
	ends bool // the bridge ends with exit 1
}

// notices are the values of the key notice. The flag form prints them in its
// transcript, the server as an event line.
func notices() map[string]notice {
	const gone = "Remote Control disconnected — "
	return map[string]notice{
		"login-expired":    {gone + "Claude.ai login expired — run /login", false},
		"login-rejected":   {gone + "Claude.ai login was rejected — run /login", false},
		"refresh-failed":   {gone + "OAuth token refresh failed — run /login to re-authenticate", false},
		"jwt-failed":       {gone + "JWT refresh failed: no OAuth token — run /login", false},
		"signed-out":       {gone + "Signed out of Claude — run /login", false},
		"account-changed":  {gone + "signed-in claude.ai account or organization changed on this machine", false},
		"sessions-cleaned": {"3 sessions ended while this machine was offline — the environment was cleaned up on the server and can't be resumed.", false},
		"environment-gone": {"Error: Poll: EnvironmentInstance not found", true},
		"worker-404":       {"Error: CCR v2 worker registration failed for session: Request failed with status code 404", false},
	}
}

func noticeNames() string {
	var names []string
	for name := range notices() {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// showNotice shows the notice one second after ready.
func (b *bridge) showNotice() {
	n, ok := notices()[b.set.str("notice", "")]
	if !ok || !b.pause(b.set.scaled(time.Second)) {
		return
	}
	if n.ends {
		b.dbg.log("ERROR", "BridgeFatalError: %s", strings.TrimPrefix(n.text, "Error: "))
		complain(n.text)
		b.finish(outcome{code: 1})
		return
	}
	b.say(n.text)
	b.rec.event("notice", "text", n.text)
}
