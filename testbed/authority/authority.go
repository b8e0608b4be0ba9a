// Package authority issues the certificates that tests show and trust.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority for tests.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// New makes a new authority, valid for a year.
func New() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate("dossier test authority")
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return parse(der, key)
}

func parse(der []byte, key *ecdsa.PrivateKey) (*Authority, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// CA returns the authority's own certificate as PEM.
func (a *Authority) CA() []byte { return a.pem }

// Pool returns the authority as what a client trusts.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server issues a server certificate for host names and addresses, as PEM.
func (a *Authority) Server(hosts ...string) (crt, key []byte, err error) {
	return a.Issue(func(c *x509.Certificate) {
		c.Subject.CommonName, c.ExtKeyUsage = "node", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, h := range hosts {
			if ip := net.ParseIP(h); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, h)
			}
		}
	})
}

// Client issues a client certificate for the name, as PEM.
func (a *Authority) Client(name string) (crt, key []byte, err error) {
	return a.Issue(func(c *x509.Certificate) {
		c.Subject.CommonName, c.ExtKeyUsage = name, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

// ClientFiles writes a client certificate of an authority of its own, and its
// key, into files that are gone when the test ends.
func ClientFiles(t testing.TB) (crt, key string) {
	t.Helper()
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	c, k, err := a.Client("client")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	crt, key = filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key")
	if err := errors.Join(os.WriteFile(crt, c, 0o600), os.WriteFile(key, k, 0o600)); err != nil {
		t.Fatal(err)
	}
	return crt, key
}

// Issue issues a certificate that is as change makes it, as PEM: without, one
// for nobody and nothing, valid for a year.
func (a *Authority) Issue(change func(*x509.Certificate)) (crt, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := newTemplate("")
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

func newTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
	}, nil
}

// Open reads the authority kept in the folder, or makes it.
func Open(dir string) (*Authority, error) {
	crtFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	crtPEM, err := os.ReadFile(crtFile)
	if errors.Is(err, os.ErrNotExist) {
		a, err := New()
		if err != nil {
			return nil, err
		}
		keyDER, err := x509.MarshalECPrivateKey(a.key)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
		if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
			return nil, err
		}
		return a, os.WriteFile(crtFile, a.pem, 0o644)
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	crt, _ := pem.Decode(crtPEM)
	key, _ := pem.Decode(keyPEM)
	if crt == nil || key == nil {
		return nil, errors.New("authority: " + dir + " holds no certificate authority; remove it")
	}
	private, err := x509.ParseECPrivateKey(key.Bytes)
	if err != nil {
		return nil, err
	}
	return parse(crt.Bytes, private)
}
