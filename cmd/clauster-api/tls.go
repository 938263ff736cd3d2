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
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.current.Load(), nil
	}}
}
