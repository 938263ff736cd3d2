package config

import "time"

// Auth is [auth]: who may pass the web socket.
type Auth struct {
	Enabled                     bool         `toml:"enabled"`
	PasswordRequired            bool         `toml:"password_required"`
	PasswordHash                string       `toml:"password_hash"`
	APITokenHash                string       `toml:"api_token_hash"`
	AllowUnauthenticatedNetwork bool         `toml:"allow_unauthenticated_network"`
	CookieSecure                string       `toml:"cookie_secure"`
	SessionMaxAgeSeconds        int          `toml:"session_max_age_seconds"`
	SessionIdleSeconds          int          `toml:"session_idle_seconds"`
	AllowedOrigins              []string     `toml:"allowed_origins"`
	ReverseProxy                ReverseProxy `toml:"reverse_proxy"`
}

// ReverseProxy is [auth.reverse_proxy]: identities sent by a proxy.
type ReverseProxy struct {
	Enabled            bool     `toml:"enabled"`
	UserHeader         string   `toml:"user_header"`
	SharedSecretHeader string   `toml:"shared_secret_header"`
	TrustedIPs         []string `toml:"trusted_ips"`
	SharedSecret       string   `toml:"shared_secret"`
	HMACWindowSeconds  int      `toml:"hmac_window_seconds"`
	RequireHMAC        bool     `toml:"require_hmac"`
}

// Enforced reports whether somebody without credentials is kept out: what a
// web socket that is not loopback needs.
func (a Auth) Enforced() bool {
	return a.Enabled && (a.PasswordRequired || a.ReverseProxy.Enabled || a.APITokenHash != "")
}

// APIServer is [api].
type APIServer struct {
	AllowedHosts    []string `toml:"allowed_hosts"`
	OpenAPIEnabled  bool     `toml:"openapi_enabled"`
	IdleExitSeconds int      `toml:"idle_exit_seconds"`
}

// Observability is [observability]: the Prometheus page.
type Observability struct {
	PrometheusEnabled bool   `toml:"prometheus_enabled"`
	MetricsTokenHash  string `toml:"metrics_token_hash"`
}

// Metrics is [metrics]: what bridges use.
type Metrics struct {
	Enabled      bool `toml:"enabled"`
	NormalizeCPU bool `toml:"normalize_cpu"`
	ShowDisk     bool `toml:"show_disk"`
}

// Events is [events]: the history in the API's database. RetentionDays 0 means
// for ever.
type Events struct {
	RetentionDays int `toml:"retention_days"`
}

// TLS is [tls]; both are empty, or neither.
type TLS struct {
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
}

// Notifications is [notifications]. URLs are secrets.
type Notifications struct {
	Enabled                 bool     `toml:"enabled"`
	BrowserEnabled          bool     `toml:"browser_enabled"`
	URLs                    []string `toml:"urls"`
	NotifyOnCrash           bool     `toml:"notify_on_crash"`
	NotifyOnError           bool     `toml:"notify_on_error"`
	NotifyOnReady           bool     `toml:"notify_on_ready"`
	NotifyOnStop            bool     `toml:"notify_on_stop"`
	NotifyOnPermission      bool     `toml:"notify_on_permission"`
	NotifyOnSessionEnd      bool     `toml:"notify_on_session_end"`
	NotifyOnReconnectFailed bool     `toml:"notify_on_reconnect_failed"`
}

// Webhooks is [webhooks]. URLs and Secret are secrets; Events has every event's name.
type Webhooks struct {
	Enabled             bool            `toml:"enabled"`
	URLs                []string        `toml:"urls"`
	Secret              string          `toml:"secret"`
	TimeoutSeconds      float64         `toml:"timeout_seconds"`
	BlockPrivateTargets bool            `toml:"block_private_targets"`
	Events              map[string]bool `toml:"events"`
}

// Timeout is how long one post may take.
func (w Webhooks) Timeout() time.Duration {
	return time.Duration(w.TimeoutSeconds * float64(time.Second))
}

// Switch is a table with nothing but `enabled`.
type Switch struct {
	Enabled bool `toml:"enabled"`
}

// Clone is [clone]: new projects by git clone. MaxMB 0 means no limit.
type Clone struct {
	Enabled             bool     `toml:"enabled"`
	AllowedSchemes      []string `toml:"allowed_schemes"`
	AllowPrivateHosts   bool     `toml:"allow_private_hosts"`
	AllowedPrivateCIDRs []string `toml:"allowed_private_cidrs"`
	TimeoutSeconds      int      `toml:"timeout_seconds"`
	MaxMB               int      `toml:"max_mb"`
}

// Reaper is [reaper].
type Reaper struct {
	UIEnabled bool `toml:"ui_enabled"`
}

// ConfigWrite is [config_write].
type ConfigWrite struct {
	Enabled        bool `toml:"enabled"`
	AllowUserScope bool `toml:"allow_user_scope"`
}

// LoginShepherd is [login_shepherd].
type LoginShepherd struct {
	Enabled         bool `toml:"enabled"`
	AllowSetupToken bool `toml:"allow_setup_token"`
}

// MCP is [mcp].
type MCP struct {
	AllowWrites bool `toml:"allow_writes"`
}

// Usage is [usage]: how a session's use is shown.
type Usage struct {
	Mode                    string  `toml:"mode"`
	Currency                string  `toml:"currency"`
	CurrencySymbol          string  `toml:"currency_symbol"`
	FXRate                  float64 `toml:"fx_rate"`
	TokenTotalIncludesCache bool    `toml:"token_total_includes_cache"`
}
