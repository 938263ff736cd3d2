package config

// The keys of the API and of the pages on top of it. They are read and checked
// already by the first version, so that one file serves every version.

func authKeys() []Key {
	return []Key{
		{Name: "auth.enabled", Kind: Bool, Default: false, Surface: API,
			Doc: "Ask for authentication on the web socket. A web socket that is not loopback is refused without it."},
		{Name: "auth.password_required", Kind: Bool, Default: false, Surface: API,
			Doc: "Let people in by password; needs auth.password_hash."},
		{Name: "auth.password_hash", Kind: String, Default: "", Unset: "none", Example: `"$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH"`, Secret: true, Surface: API,
			Rule: "an argon2id hash as clauster-ctl hash-password prints it", check: checkPasswordHash,
			Doc: "The password's hash."},
		{Name: "auth.api_token_hash", Kind: String, Default: "", Unset: "none", Example: `"0000000000000000000000000000000000000000000000000000000000000000"`, Secret: true, Surface: API,
			Rule: "a SHA-256 in 64 hex digits", check: checkHexHash,
			Doc: "The hash of one fixed API token. clauster-ctl token issue makes tokens with a name, a scope and an expiry instead."},
		{Name: "auth.allow_unauthenticated_network", Kind: Bool, Default: false, Surface: API,
			Doc: "Serve a web socket that is not loopback without authentication. Whoever reaches it then runs code as the bridge user."},
		{Name: "auth.cookie_secure", Kind: Enum, Default: "auto", Values: []string{"auto", "always", "never"}, Surface: API,
			Doc: "Whether the session cookie is sent over https only; auto decides by the request."},
		{Name: "auth.session_max_age_seconds", Kind: Int, Default: int64(604800), Min: 1, Surface: API,
			Doc: "How long a login lasts."},
		{Name: "auth.session_idle_seconds", Kind: Int, Default: int64(86400), Surface: API, Ours: true,
			Doc: "How long a login lasts without being used; 0 for no such limit."},
		{Name: "auth.allowed_origins", Kind: List, Default: []string{}, Surface: API,
			Rule: "a list of origins such as \"https://host.example:8443\"", check: checkOrigins,
			Doc: "Origins, besides the loopback ones, that browsers may send requests from."},
		{Name: "auth.reverse_proxy.enabled", Kind: Bool, Default: false, Surface: API,
			Doc: "Believe the identity that a reverse proxy sends; needs auth.reverse_proxy.trusted_ips."},
		{Name: "auth.reverse_proxy.user_header", Kind: String, Default: "Remote-User", Surface: API,
			Rule: "the name of an HTTP header", check: checkHeaderName,
			Doc: "The header with the user's name."},
		{Name: "auth.reverse_proxy.shared_secret_header", Kind: String, Default: "X-Proxy-Auth", Surface: API,
			Rule: "the name of an HTTP header", check: checkHeaderName,
			Doc: "The header with the proxy's HMAC over user, time, method and path."},
		{Name: "auth.reverse_proxy.trusted_ips", Kind: List, Default: []string{}, Surface: API,
			Rule: "a list of addresses or networks such as \"10.0.0.0/8\"", check: checkNetworks,
			Doc: "The addresses the reverse proxy connects from."},
		{Name: "auth.reverse_proxy.shared_secret", Kind: String, Default: "", Unset: "none", Example: `"SECRET"`, Secret: true, Surface: API,
			Doc: "The key of that HMAC; needed while require_hmac is true."},
		{Name: "auth.reverse_proxy.hmac_window_seconds", Kind: Int, Default: int64(60), Surface: API,
			Doc: "How far the HMAC's time may be from ours."},
		{Name: "auth.reverse_proxy.require_hmac", Kind: Bool, Default: true, Surface: API,
			Doc: "Ask for the HMAC. false trusts the user header of a trusted address alone."},
	}
}

func apiKeys() []Key {
	return []Key{
		{Name: "api.idle_exit_seconds", Kind: Int, Default: int64(0), Unset: "never", Example: `600`, Surface: API, Ours: true,
			Doc: "End the service after so many seconds without a request, a stream or a waiting delivery; its sockets start it again. 0 keeps it running."},
		{Name: "api.allowed_hosts", Kind: List, Default: []string{}, Surface: API, Ours: true,
			Rule: "a list of hosts such as \"host.example\" (any port) or \"host.example:8443\"", check: checkHosts,
			Doc: "Names, besides localhost and those of auth.allowed_origins, by which the web socket may be addressed."},
		{Name: "api.openapi_enabled", Kind: Bool, Default: false, Surface: API,
			Doc: "Serve /openapi.json on the web socket; the unix socket always does."},
		{Name: "observability.prometheus_enabled", Kind: Bool, Default: false, Surface: API,
			Doc: "Serve /metrics; without it the answer is 404."},
		{Name: "observability.metrics_token_hash", Kind: String, Default: "", Unset: "none", Example: `"0000000000000000000000000000000000000000000000000000000000000000"`, Secret: true, Surface: API,
			Rule: "a SHA-256 in 64 hex digits, as clauster-ctl hash-metrics-token prints it", check: checkHexHash,
			Doc: "The hash of a token that opens /metrics and nothing else."},
		{Name: "metrics.enabled", Kind: Bool, Default: true, Surface: API,
			Doc: "Read what bridges use from their cgroups. false reads nothing."},
		{Name: "metrics.normalize_cpu", Kind: Bool, Default: false, Surface: API,
			Doc: "Show CPU use as a share of all CPUs instead of one."},
		{Name: "metrics.show_disk", Kind: Bool, Default: true, Surface: API,
			Doc: "Show disk traffic beside CPU and memory."},
		{Name: "tls.cert_file", Kind: String, Default: "", Unset: "no TLS", Example: `"/etc/clauster/tls/cert.pem"`, Surface: API,
			Rule: "an absolute path", check: checkAbsolute,
			Doc: "The certificate chain (PEM) of the web socket; needs tls.key_file."},
		{Name: "tls.key_file", Kind: String, Default: "", Unset: "no TLS", Example: `"/etc/clauster/tls/key.pem"`, Surface: API,
			Rule: "an absolute path", check: checkAbsolute,
			Doc: "The private key (PEM) of tls.cert_file. A systemd credential is the better place: LoadCredential=."},
	}
}

func eventKeys() []Key {
	return []Key{
		{Name: "events.retention_days", Kind: Int, Default: int64(90), Max: 36500, Surface: API, Ours: true,
			Doc: "How many days events stay in the API's database; 0 keeps them for ever. What is in the journal is journald's matter, and counters go on."},
	}
}

func notifyKeys() []Key {
	keys := []Key{
		{Name: "notifications.enabled", Kind: Bool, Default: false, Surface: API,
			Doc: "Send notifications to notifications.urls."},
		{Name: "notifications.browser_enabled", Kind: Bool, Default: false, Surface: Later,
			Doc: "Offer notifications in the browser."},
		{Name: "notifications.urls", Kind: List, Default: []string{}, Secret: true, Surface: API,
			Rule: "a list of at most 32 service URLs such as \"discord://TOKEN@ID\"", check: checkServiceURLs,
			Doc: "Where notifications go (shoutrrr URLs). They hold keys and are never shown."},
	}
	for _, n := range []struct {
		key, doc string
		on       bool
	}{
		{"crash", "a bridge crashed", true}, {"error", "a bridge could not start, or was refused", true}, {"ready", "a bridge is ready", false}, {"stop", "a bridge was stopped", false},
		{"permission", "a bridge waits for a permission", false}, {"session_end", "a session ended", false},
		{"reconnect_failed", "a bridge could not reconnect", false},
	} {
		keys = append(keys, Key{Name: "notifications.notify_on_" + n.key, Kind: Bool, Default: n.on, Surface: API,
			Ours: n.key == "error", Doc: "Notify when " + n.doc + "."})
	}
	keys = append(keys,
		Key{Name: "webhooks.enabled", Kind: Bool, Default: false, Surface: API, Doc: "Post events to webhooks.urls."},
		Key{Name: "webhooks.urls", Kind: List, Default: []string{}, Secret: true, Surface: API,
			Rule: "a list of at most 32 http:// or https:// URLs with a host", check: checkWebURLs,
			Doc: "Where events are posted. URLs may hold keys and are never shown."},
		Key{Name: "webhooks.secret", Kind: String, Default: "", Unset: "posts are not signed", Example: `"A-LONG-RANDOM-TEXT"`, Secret: true, Surface: API, Ours: true,
			Rule: "at least 16 characters, or whsec_ and base64", check: checkWebhookSecret,
			Doc: "The key of the signature that every post carries (Standard Webhooks: webhook-signature)."},
		Key{Name: "webhooks.timeout_seconds", Kind: Float, Default: 10.0, Max: 600, Above: true, Surface: API, Doc: "How long one post may take."},
		Key{Name: "webhooks.block_private_targets", Kind: Bool, Default: true, Surface: API,
			Doc: "Refuse targets on loopback, link-local, private and reserved addresses. (The Python Clauster has false.)"},
	)
	for _, e := range WebhookEvents() {
		k := Key{Name: "webhooks.events." + e.Name, Kind: Bool, Default: e.Default, Surface: API, NoEnv: true,
			Ours: e.Name == "error" || e.Name == "alert", Doc: "Post " + e.Name + " events: " + e.When + "."}
		if e.Reserved() {
			k.Surface, k.Doc = Later, "Reserved. Nothing makes "+e.Name+" events yet, so none is posted."
		}
		keys = append(keys, k)
	}
	return keys
}

// WebhookEvent is an event that webhooks can carry.
type WebhookEvent struct {
	Name    string
	Default bool   // posted unless webhooks.events says otherwise
	When    string // what has happened then, "" for one that nothing makes yet
}

// Reserved reports that nothing makes such events yet. The key is taken, since
// the Python Clauster has it and a later version will use it.
func (e WebhookEvent) Reserved() bool { return e.When == "" }

// WebhookEvents lists the keys of webhooks.events; any other fails the load.
func WebhookEvents() []WebhookEvent {
	return []WebhookEvent{{"spawn", true, "claude is being started"}, {"ready", true, "a bridge is ready"}, {"stop", true, "a bridge ended as asked"},
		{"crash", true, "a bridge ended unasked"}, {"bg-settled", false, ""}, {"permission-needed", false, ""}, {"clone-done", false, ""},
		{"error", false, "a bridge was held or ended before it was ready"}, {"alert", false, ""}}
}

func pageKeys() []Key {
	off := func(name, doc string) Key {
		return Key{Name: name, Kind: Bool, Default: false, Surface: Later, Doc: doc}
	}
	return []Key{
		{Name: "ui.enabled", Kind: Bool, Default: true, Surface: Later, Doc: "Serve the pages on the web socket."},
		{Name: "clone.enabled", Kind: Bool, Default: true, Surface: Later, Doc: "Allow new projects by git clone."},
		{Name: "clone.allowed_schemes", Kind: List, Default: []string{"https", "ssh"}, Surface: Later,
			Rule: "a list of https, ssh, http, git", check: checkSchemes, Doc: "The URL schemes a clone may use."},
		{Name: "clone.allow_private_hosts", Kind: Bool, Default: false, Surface: Later, Doc: "Allow clones from private addresses."},
		{Name: "clone.allowed_private_cidrs", Kind: List, Default: []string{}, Surface: Later,
			Rule: "a list of networks such as \"10.0.0.0/8\"", check: checkNetworks, Doc: "Private networks that clones may come from nevertheless."},
		{Name: "clone.timeout_seconds", Kind: Int, Default: int64(300), Min: 1, Surface: Later, Doc: "How long a clone may take."},
		{Name: "clone.max_mb", Kind: Int, Default: int64(2048), Surface: Later, Doc: "The largest clone in MiB; 0 for no limit."},
		off("reaper.ui_enabled", "Offer the removal of environments whose bridge is gone."),
		off("config_write.enabled", "Allow pages to edit claude's configuration of projects."),
		off("config_write.allow_user_scope", "Allow them to edit the bridge user's own as well."),
		off("login_shepherd.enabled", "Offer claude's login on a page."),
		off("login_shepherd.allow_setup_token", "Offer claude's setup-token there."),
		off("mcp.allow_writes", "Let the MCP server start, stop and resume bridges."),
		{Name: "usage.mode", Kind: Enum, Default: "cost", Values: []string{"cost", "tokens", "off"}, Surface: Later, Doc: "What pages show of a session's use."},
		{Name: "usage.currency", Kind: String, Default: "USD", Surface: Later, Rule: "a currency code of three letters", check: checkCurrency, Doc: "The currency costs are shown in."},
		{Name: "usage.currency_symbol", Kind: String, Default: "", Unset: "$ for USD, else the code", Example: `"$"`, Surface: Later, Rule: "at most 8 characters", check: checkSymbol, Doc: "The sign in front of costs."},
		{Name: "usage.fx_rate", Kind: Float, Default: 1.0, Above: true, Surface: Later, Doc: "What one US dollar is worth in that currency."},
		{Name: "usage.token_total_includes_cache", Kind: Bool, Default: true, Surface: Later, Doc: "Count cached tokens in totals."},
	}
}
