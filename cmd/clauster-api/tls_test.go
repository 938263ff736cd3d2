package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clauster/pkg/config"
)

// pair writes a certificate and its key.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A door that was opened without TLS, by a configuration without or by a broken
// pair, does not go on without once there is a good one; a pair that does not
// fit leaves the one in force.
func TestCertificates(t *testing.T) {
	cert, key := pair(t)
	cfg := &config.Config{}
	c := &certificates{}
	if got, err := c.read(cfg); err != nil || got != nil || c.config() != nil {
		t.Fatalf("without: %v", err)
	}
	cfg.TLS.CertFile, cfg.TLS.KeyFile = cert, key
	var refused *certificateError
	if _, err := c.read(cfg); !errors.As(err, &refused) || refused.Hint() != "systemctl restart clauster-api" {
		t.Errorf("a certificate after the door was opened without: %v", err)
	}
	cfg.TLS.CertFile += ".absent"
	if _, err := c.read(cfg); !errors.As(err, &refused) || refused.later {
		t.Errorf("absent files after the door was opened without: %v", err)
	}
	cfg.TLS.CertFile = cert
	c = &certificates{}
	got, err := c.read(cfg)
	if c.use(got); err != nil || c.config() == nil {
		t.Errorf("with: %v", err)
	}
	_, cfg.TLS.KeyFile = pair(t)
	if _, err := c.read(cfg); !errors.As(err, &refused) || !strings.Contains(refused.Hint(), cfg.TLS.KeyFile) {
		t.Errorf("another's key: %v", err)
	}
	if c.current.Load() != got {
		t.Error("the good pair is gone")
	}
	if _, err := c.read(&config.Config{}); !errors.As(err, &refused) || refused.Hint() != "systemctl restart clauster-api" {
		t.Errorf("without TLS after the door was opened with it: %v", err)
	}
}
