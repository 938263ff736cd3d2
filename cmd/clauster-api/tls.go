package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"clauster/pkg/config"
)

// certificates are the web door's: of tls.cert_file and tls.key_file, or of the
// credentials clauster.tls.cert and clauster.tls.key. They are read again with
// each reload.
type certificates struct {
	credentials string // $CREDENTIALS_DIRECTORY
	current     atomic.Pointer[tls.Certificate]
	plain       atomic.Bool // the door was opened without TLS
}

// files are where certificate and key are, "" without TLS.
func (c *certificates) files(cfg *config.Config) (cert, key string) {
	if c.credentials != "" {
		cert, key = filepath.Join(c.credentials, "clauster.tls.cert"), filepath.Join(c.credentials, "clauster.tls.key")
		if _, err := os.Stat(cert); err == nil {
			return cert, key
		}
	}
	return cfg.TLS.CertFile, cfg.TLS.KeyFile
}

// load reads them; without TLS it does nothing.
func (c *certificates) load(cfg *config.Config) error {
	cert, key := c.files(cfg)
	if cert == "" {
		return nil
	}
	// Whoever has set a certificate must not be served without one.
	if c.plain.Load() {
		return &restartError{cert}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("cannot use the certificate %s: %w", cert, err)
	}
	c.current.Store(&pair)
	return nil
}

// config is the web door's, nil without TLS. Whether there is TLS at all is
// settled at the start: connections of both kinds on one port would be a trap.
func (c *certificates) config() *tls.Config {
	if c.current.Load() == nil {
		c.plain.Store(true)
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.current.Load(), nil
	}}
}

// restartError refuses a certificate that came after the door was opened.
type restartError struct{ cert string }

func (e *restartError) Error() string {
	return "cannot use the certificate " + e.cert + " yet: the web door was opened without TLS"
}

// Hint is the next command.
func (e *restartError) Hint() string { return "systemctl restart clauster-api" }
