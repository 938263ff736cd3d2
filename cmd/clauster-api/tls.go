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

// read reads them; without TLS there are none. A pair that cannot be used is a
// fault whatever the door is.
func (c *certificates) read(cfg *config.Config) (*tls.Certificate, error) {
	cert, key := c.files(cfg)
	if cert == "" {
		if c.current.Load() != nil {
			return nil, &certificateError{"cannot take TLS from a web door that was opened with it", "systemctl restart clauster-api", false}
		}
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, &certificateError{fmt.Sprintf("cannot use the certificate %s with the key %s: %v", cert, key, err),
			fmt.Sprintf("let the account of the API read both (chgrp clauster, chmod 0640) and look at them: sudo -u clauster openssl x509 -noout -subject -dates -in %s; sudo -u clauster openssl pkey -noout -in %s", cert, key), false}
	}
	// Whoever has set a certificate must not be served without one.
	if c.plain.Load() {
		return nil, &certificateError{"cannot use the certificate " + cert + " yet: the web door was opened without TLS", "systemctl restart clauster-api", true}
	}
	return &pair, nil
}

// use puts them in force.
func (c *certificates) use(pair *tls.Certificate) {
	if pair != nil {
		c.current.Store(pair)
	}
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

// certificateError says why a certificate is not used, and the next command.
type certificateError struct {
	text, hint string
	later      bool // after a restart it can be
}

func (e *certificateError) Error() string { return e.text }

// Hint is the next command.
func (e *certificateError) Hint() string { return e.hint }
