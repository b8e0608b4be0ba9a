package esindex

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"dossier/esindex/cloudid"
)

// Limits of one request where Options leaves them at zero.
const (
	DefaultMaxBulkBytes = 8 << 20
	DefaultMaxBulkDocs  = 1500
	DefaultDialTimeout  = 3 * time.Second
)

// Compress says when requests and answers are compressed on the wire.
type Compress uint8

const (
	// CompressAuto compresses unless all nodes are on this machine.
	CompressAuto Compress = iota
	// CompressOn always compresses.
	CompressOn
	// CompressOff never compresses.
	CompressOff
)

// ParseCompress reads "auto", "on" or "off" (es_compress).
func ParseCompress(s string) (Compress, error) {
	switch strings.ToLower(s) {
	case "", "auto":
		return CompressAuto, nil
	case "on", "true", "yes", "gzip":
		return CompressOn, nil
	case "off", "false", "no":
		return CompressOff, nil
	}
	return 0, fmt.Errorf("es_compress is %q; use auto, on or off", s)
}

// Options says where Elasticsearch is and how to talk to it. In brackets
// stands what an option is called in a configuration; errors use that name.
type Options struct {
	// Hosts (es_hosts) holds the nodes' addresses with their scheme:
	// "https://es1.example.org:9200". Requests go round all nodes; a node
	// that doesn't answer is left out for a minute and longer.
	Hosts []string
	// CloudID (es_cloud_id) is given instead of Hosts.
	CloudID string

	// User and Password (es_user, es_password) are for basic authentication.
	User, Password string
	// PasswordFile (es_password_file) holds the password instead. It is read
	// again when it changes.
	PasswordFile string
	// APIKey (es_api_key) is an API key: either as Elasticsearch returned it
	// under "encoded", or as "id:api_key".
	APIKey string
	// APIKeyFile (es_api_key_file) holds the API key instead. It is read
	// again when it changes.
	APIKeyFile string

	// CAFile (es_ca_file) holds the certificates, in PEM, that a node's own
	// must be signed by. Without it those of the system hold. This file and
	// the next two are read again when they change.
	CAFile string
	// ClientCert and ClientKey (es_client_cert, es_client_key) are the files
	// of a certificate to show to the nodes, in PEM.
	ClientCert, ClientKey string
	// TLSSkipVerify (es_tls_verify off) takes any certificate.
	TLSSkipVerify bool

	// Compress (es_compress) says when to compress.
	Compress Compress
	// MaxBulkBytes bounds the body of a _bulk request, uncompressed. One
	// document larger than that goes alone. Default 8 MiB.
	MaxBulkBytes int
	// MaxBulkDocs bounds the documents of one _bulk or _mget request.
	// Default 1,500.
	MaxBulkDocs int
	// DialTimeout bounds how long connecting to one node may take. Default
	// 3 s.
	DialTimeout time.Duration
	// OnFault is told of a file of a credential or certificate that changed and
	// can't be used, once for each fault; nil for nobody. It must not wait.
	OnFault func(error)
	// UserAgent is sent with each request. Default "dossier".
	UserAgent string
}

// Validate reports everything that is wrong with the options, one error a
// line, each with what to do. Files are opened by New, not here.
func (o Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case len(o.Hosts) == 0 && o.CloudID == "":
		bad("es_hosts is empty; give at least one address such as http://127.0.0.1:9200")
	case len(o.Hosts) > 0 && o.CloudID != "":
		bad("es_hosts and es_cloud_id are both set; keep one")
	case o.CloudID != "":
		if _, err := cloudHost(o.CloudID); err != nil {
			errs = append(errs, err)
		}
	}
	tls := o.CloudID != ""
	for _, h := range o.Hosts {
		u, err := parseHost(h)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		tls = tls || u.Scheme == "https"
	}
	keys, passwords := 0, 0
	for _, s := range []string{o.APIKey, o.APIKeyFile} {
		if s != "" {
			keys++
		}
	}
	for _, s := range []string{o.Password, o.PasswordFile} {
		if s != "" {
			passwords++
		}
	}
	switch {
	case keys > 1:
		bad("es_api_key and es_api_key_file are both set; keep one")
	case passwords > 1:
		bad("es_password and es_password_file are both set; keep one")
	case keys > 0 && (o.User != "" || passwords > 0):
		bad("both an API key and es_user or es_password are set; keep one of the two ways")
	case o.User != "" && passwords == 0:
		bad("es_user is set without a password; give es_password or es_password_file")
	case o.User == "" && passwords > 0:
		bad("a password is set without es_user; give es_user")
	case strings.Contains(o.User, ":"):
		bad("es_user must not contain a colon")
	case strings.ContainsAny(o.APIKey+o.User+o.Password, "\r\n\x00"):
		bad("es_user, es_password and es_api_key must be single lines")
	}
	if (o.ClientCert == "") != (o.ClientKey == "") {
		bad("es_client_cert and es_client_key go together; give both or none")
	}
	if !tls && len(o.Hosts) > 0 && len(errs) == 0 && (o.CAFile != "" || o.ClientCert != "") {
		bad("es_ca_file or es_client_cert is set, but es_hosts has no https:// address; write https:// or drop the certificate")
	}
	if o.MaxBulkBytes < 0 || o.MaxBulkDocs < 0 || o.DialTimeout < 0 {
		bad("MaxBulkBytes, MaxBulkDocs and DialTimeout must not be negative")
	}
	if o.Compress > CompressOff {
		bad("es_compress is unknown; use auto, on or off")
	}
	if strings.ContainsAny(o.UserAgent, "\r\n\x00") {
		bad("the user agent must be a single line")
	}
	return errors.Join(errs...)
}

// Warnings returns what works but should not stay as it is, one line each.
func (o Options) Warnings() []string {
	var w []string
	if o.TLSSkipVerify {
		w = append(w, "es_tls_verify is off: anybody on the way can read and change what is sent, credentials included; give es_ca_file instead")
	}
	if o.User == "" && o.APIKey == "" && o.APIKeyFile == "" {
		return w
	}
	for _, h := range o.Hosts {
		if u, err := parseHost(h); err == nil && u.Scheme == "http" && !isLocal(u.Hostname()) {
			w = append(w, "credentials go to "+u.Host+" unencrypted; use https:// in es_hosts")
		}
	}
	return w
}

// addresses returns the nodes' addresses without repeats.
func (o Options) addresses() ([]*url.URL, error) {
	if o.CloudID != "" {
		u, err := cloudHost(o.CloudID)
		return []*url.URL{u}, err
	}
	var list []*url.URL
	for _, h := range o.Hosts {
		u, err := parseHost(h)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(other *url.URL) bool { return *other == *u }) {
			list = append(list, u)
		}
	}
	return list, nil
}

// compress says whether to compress on the wire.
func (o Options) compress() bool {
	if o.Compress != CompressAuto {
		return o.Compress == CompressOn
	}
	if o.CloudID != "" {
		return true
	}
	return slices.ContainsFunc(o.Hosts, func(h string) bool {
		u, err := parseHost(h)
		return err == nil && !isLocal(u.Hostname())
	})
}

// parseHost reads one address of a node. What is wrong is told without the
// address where that may hold a password.
func parseHost(h string) (*url.URL, error) {
	h = strings.TrimSpace(h)
	if strings.Contains(h, "@") {
		return nil, errors.New("es_hosts holds credentials in an address; give them by es_user and es_password, or es_api_key")
	}
	if h != "" && !strings.Contains(h, "://") {
		return nil, fmt.Errorf("es_hosts has %q without http:// or https:// in front; write https://%s (http:// where the node has no TLS)", h, h)
	}
	u, err := url.Parse(h)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("es_hosts has %q, which is no address; write http(s)://host:port", h)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// cloudHost returns the address that a cloud id stands for.
func cloudHost(id string) (*url.URL, error) {
	u, err := cloudid.Parse(id)
	if err != nil {
		return nil, fmt.Errorf("es_cloud_id %w", err)
	}
	return u, nil
}

func isLocal(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// readable returns a one-line error where a file can't be read.
func readable(option, path string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: there is no file %s", option, path)
	case errors.Is(err, os.ErrPermission):
		return &denied{fmt.Sprintf("%s: %s can't be read by this user (id %d); fix its owner or its permissions", option, path, os.Geteuid())}
	}
	return fmt.Errorf("%s: %w", option, err)
}

// denied is an error about a file that another user may read.
type denied struct{ text string }

func (e *denied) Error() string { return e.text }
func (e *denied) Unwrap() error { return os.ErrPermission }
