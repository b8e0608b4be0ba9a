package esindex

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// trust is the TLS side of the options. It follows changes of the files: a
// new connection is made with what they hold then. While they can't be used
// (one of two files is replaced already) the last good ones stay.
type trust struct {
	o Options

	mu     sync.Mutex
	files  watched
	config *tls.Config
	fault  fileFault
}

func newTrust(o Options) (*trust, error) {
	t := &trust{o: o}
	for _, p := range []string{o.CAFile, o.ClientCert, o.ClientKey} {
		if p != "" {
			t.files.paths = append(t.files.paths, p)
		}
	}
	t.files.changed(time.Now())
	config, err := t.load()
	t.config = config
	return t, err
}

func (t *trust) load() (*tls.Config, error) {
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.o.TLSSkipVerify, // off unless the operator says so, and warned about
		ClientSessionCache: tls.NewLRUClientSessionCache(16),
	}
	if t.o.CAFile != "" {
		pem, err := os.ReadFile(t.o.CAFile)
		if err != nil {
			return nil, readable("es_ca_file", t.o.CAFile, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("es_ca_file: %s holds no certificate; it must be PEM (-----BEGIN CERTIFICATE-----)", t.o.CAFile)
		}
	}
	if t.o.ClientCert != "" {
		for _, f := range [][2]string{{"es_client_cert", t.o.ClientCert}, {"es_client_key", t.o.ClientKey}} {
			if _, err := os.ReadFile(f[1]); err != nil {
				return nil, readable(f[0], f[1], err)
			}
		}
		pair, err := tls.LoadX509KeyPair(t.o.ClientCert, t.o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("es_client_cert: %s and %s are no pair of certificate and key in PEM without a passphrase: %w", t.o.ClientCert, t.o.ClientKey, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// current returns the configuration for a new connection.
func (t *trust) current() *tls.Config {
	t.mu.Lock()
	var tell error
	if len(t.files.paths) > 0 && t.files.changed(time.Now()) {
		c, err := t.load()
		if err == nil {
			t.config = c
		} else {
			t.files.stamps = nil // look again
		}
		tell = t.fault.note(err)
	}
	config := t.config
	t.mu.Unlock()
	if tell != nil && t.o.OnFault != nil {
		t.o.OnFault(tell)
	}
	return config
}

// dial connects with TLS. http.Transport.TLSClientConfig would be read once.
func (t *trust) dial(ctx context.Context, d *net.Dialer, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	raw, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := t.current().Clone()
	config.ServerName = host
	conn := tls.Client(raw, config)
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// TLS returns what connections with these options trust and show, as the files
// say now: for whoever talks to something else behind the same authority.
func TLS(o Options) (*tls.Config, error) { return (&trust{o: o}).load() }
