package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"clauster/pkg/address"
	"clauster/pkg/bridge"
)

// crossCheck applies the rules that need more than one value. A rule is not
// applied to a value that was refused already.
func (l *loader) crossCheck() {
	l.checkIdentity()
	l.checkBypass()
	l.checkLimits("limits", l.cfg.Limits)
	for _, name := range slices.Sorted(maps.Keys(l.cfg.Projects)) {
		l.checkLimits(dotted([]string{"projects", name}), l.cfg.ForProject(name).Limits)
	}
	l.checkAuth()
	l.checkTargets()
	c := l.cfg
	if c.Logs.Burst < c.Logs.LinesPerSecond {
		l.faultAt("logs.burst", fmt.Sprintf("it must not be smaller than logs.lines_per_second (%d)", c.Logs.LinesPerSecond), "")
	}
	if !strings.EqualFold(c.Usage.Currency, "USD") && c.Usage.FXRate == 1 {
		l.warnAt("usage.currency", "costs are shown in "+strings.ToUpper(c.Usage.Currency)+" at the rate of the US dollar", "set usage.fx_rate")
	}
	c.Usage.Currency = strings.ToUpper(c.Usage.Currency)
}

func (l *loader) checkIdentity() {
	c := l.cfg
	switch {
	case !l.src.UserMode && c.User == "" && !l.faulty["user"] && !l.unread:
		l.faultAt("user", "it is required: the user whose claude runs the bridges", `add the line: user = "NAME"`)
	case l.src.UserMode && c.User != "":
		l.warnAt("user", "it has no effect in user mode: bridges run as you", "take the key out")
		c.User = ""
	}
	name, _, _ := strings.Cut(c.ProjectsRoot, "/")
	if strings.HasPrefix(name, "~") && name != "~" && name != "~"+c.User && !l.faulty["user"] {
		l.faultAt("projects_root", "only the bridge user's home may be named by ~", "write the path out, from /")
	}
}

// checkBypass warns about a default that no project allows: every start would
// be refused.
func (l *loader) checkBypass() {
	if l.cfg.InstanceDefaults.PermissionMode != bridge.PermBypass {
		return
	}
	for _, p := range l.cfg.Projects {
		if p.AllowBypassPermissions {
			return
		}
	}
	l.warnAt("instance_defaults.permission_mode", "no project allows it, so every start is refused",
		"set allow_bypass_permissions = true in [projects.NAME], for each project that may")
}

func (l *loader) checkLimits(table string, lim Limits) {
	if lim.MemoryMax != 0 && lim.MemoryHigh != 0 && lim.MemoryHigh > lim.MemoryMax && lim.MemoryHigh != Infinity {
		key := table + ".memory_high"
		if _, set := l.cfg.values[key]; !set {
			key = table + ".memory_max"
		}
		l.warnAt(key, "memory_high is above memory_max and so has no effect", "")
	}
}

func (l *loader) checkAuth() {
	a := l.cfg.Auth
	if a.PasswordRequired && a.PasswordHash == "" && !l.faulty["auth.password_hash"] {
		l.faultAt("auth.password_required", "it needs auth.password_hash", "clauster-ctl hash-password makes one")
	}
	if p := a.ReverseProxy; p.Enabled {
		if len(p.TrustedIPs) == 0 && !l.faulty["auth.reverse_proxy.trusted_ips"] {
			l.faultAt("auth.reverse_proxy.enabled", "it needs auth.reverse_proxy.trusted_ips", "name the addresses the proxy connects from")
		}
		if p.RequireHMAC && p.SharedSecret == "" && !l.faulty["auth.reverse_proxy.shared_secret"] {
			l.faultAt("auth.reverse_proxy.enabled", "it needs auth.reverse_proxy.shared_secret while require_hmac is true",
				"set the secret, or require_hmac = false to believe the header of a trusted address alone")
		}
	}
}

func (l *loader) checkTargets() {
	c := l.cfg
	if c.Webhooks.Enabled && len(c.Webhooks.URLs) == 0 && !l.faulty["webhooks.urls"] {
		l.warnAt("webhooks.enabled", "webhooks.urls names no target, so nothing is posted", l.unseen("webhooks.urls"))
	}
	if c.Notifications.Enabled && len(c.Notifications.URLs) == 0 && !l.faulty["notifications.urls"] {
		l.warnAt("notifications.enabled", "notifications.urls names no target, so nothing is sent", l.unseen("notifications.urls"))
	}
	l.checkPrivateTargets()
	l.checkReserved()
	cert, key := c.TLS.CertFile != "" || l.faulty["tls.cert_file"], c.TLS.KeyFile != "" || l.faulty["tls.key_file"]
	if cert && !key {
		l.faultAt("tls.cert_file", "it needs tls.key_file", "")
	}
	if key && !cert {
		l.faultAt("tls.key_file", "it needs tls.cert_file", "")
	}
}

// unseen is the hint to a value that may be there all the same: clauster-ctl
// does not see the credentials of clauster-api.
func (l *loader) unseen(key string) string {
	if l.src.CredentialsDir != "" {
		return ""
	}
	return "unless a credential of clauster-api does, which is not seen here: systemctl cat clauster-api shows " + credentialPrefix + key
}

// checkReserved warns of events that somebody waits for in vain.
func (l *loader) checkReserved() {
	for _, e := range WebhookEvents() {
		if l.cfg.Webhooks.Enabled && e.Reserved() && l.cfg.Webhooks.Events[e.Name] {
			hint := ""
			if e.Name == "permission-needed" {
				hint = "notifications.notify_on_permission tells people that a bridge waits for one"
			}
			l.warnAt("webhooks.events."+e.Name, "nothing makes these events yet, so none is posted", hint)
		}
	}
}

// checkPrivateTargets warns of webhooks that no event will ever reach. Which
// address a name has is found out when it is dialled.
func (l *loader) checkPrivateTargets() {
	w := l.cfg.Webhooks
	if !w.Enabled || !w.BlockPrivateTargets || l.faulty["webhooks.urls"] {
		return
	}
	for i, text := range w.URLs {
		u, err := url.Parse(text)
		if err != nil {
			continue // a fault, which is told
		}
		if what := address.Blocked(u.Hostname()); what != "" {
			l.warnAt("webhooks.urls", fmt.Sprintf("the host of URL %d is %s, so every post to it is refused", i+1, what),
				"set webhooks.block_private_targets = false if it is meant")
		}
	}
}

func (l *loader) faultAt(key, rule, hint string) { l.report.fault(l.findingAt(key, rule, hint)) }
func (l *loader) warnAt(key, rule, hint string)  { l.report.warn(l.findingAt(key, rule, hint)) }

// findingAt points at where a key's value was set, or at the main file.
func (l *loader) findingAt(key, rule, hint string) Finding {
	e, set := l.cfg.values[key]
	if !set {
		return Finding{File: l.src.Path, Key: key, Rule: rule, Hint: hint}
	}
	value := hidden
	if !e.key.Secret {
		value = e.key.literal(e.value)
	}
	return Finding{File: e.origin.Name, Line: e.origin.Line(), Key: key, Value: value, Rule: rule, Hint: hint}
}
