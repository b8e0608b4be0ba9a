package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are those of an OTLP exporter over HTTP, as the specification of
// OpenTelemetry names them ("OpenTelemetry Protocol Exporter").
type settings struct {
	url     string
	headers http.Header
	timeout time.Duration
	gzip    bool
	tls     *tls.Config
}

// defaultTimeout is the specification's.
const defaultTimeout = 10 * time.Second

// wanted says whether the environment asks for traces: without any of its
// variables there are none, though the specification has a default endpoint.
func wanted() (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "none":
		return false, nil
	case "otlp":
		return true, nil
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "", nil
	default:
		return false, fault("OTEL_TRACES_EXPORTER", exporter, "otlp or none")
	}
}

// variable returns the exporter's variable, the one for traces before the one
// for all signals.
func variable(name string) (variable, value string) {
	variable = "OTEL_EXPORTER_OTLP_TRACES_" + name
	if value = os.Getenv(variable); value == "" {
		variable = "OTEL_EXPORTER_OTLP_" + name
		value = os.Getenv(variable)
	}
	return variable, value
}

// fault says what is wrong with a variable. It is for values that are no
// secrets.
func fault(variable, value, want string) error {
	return fmt.Errorf("%s: got %q, want %s", variable, value, want)
}

func readSettings() (s settings, err error) {
	if name, v := variable("PROTOCOL"); v != "" && v != "http/protobuf" {
		return s, fault(name, v, "http/protobuf, the one protocol that Dossier speaks (port 4318 of a collector)")
	}
	if s.url, err = endpoint(); err != nil {
		return s, err
	}
	if s.headers, err = readHeaders(); err != nil {
		return s, err
	}
	s.timeout = defaultTimeout
	if name, v := variable("TIMEOUT"); v != "" {
		ms, err := strconv.ParseUint(v, 10, 31)
		if err != nil || ms == 0 {
			return s, fault(name, v, "milliseconds such as 10000")
		}
		s.timeout = time.Duration(ms) * time.Millisecond
	}
	switch name, v := variable("COMPRESSION"); v {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		return s, fault(name, v, "gzip or none")
	}
	s.tls, err = readTLS()
	return s, err
}

// endpoint returns where traces go: the endpoint for traces is used as it is,
// that for all signals is the base of each one's path.
func endpoint() (string, error) {
	name, v := variable("ENDPOINT")
	if v == "" {
		v = "http://localhost:4318"
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("%s: want a URL such as http://collector:4318, without a password", name) // which may hold one
	}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

func readHeaders() (http.Header, error) {
	name, v := variable("HEADERS")
	h := http.Header{}
	for pair := range strings.SplitSeq(v, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || key == "" || strings.ContainsAny(key, " \t\r\n:") || strings.ContainsAny(value, "\r\n") {
			return nil, fmt.Errorf("%s: want pairs such as api-key=secret,tenant=decoys, values percent-encoded", name)
		}
		h.Set(key, value)
	}
	return h, nil
}

func readTLS() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if name, file := variable("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault(name, file, "a file with certificates in PEM")
		}
	}
	name, cert := variable("CLIENT_CERTIFICATE")
	_, key := variable("CLIENT_KEY")
	if cert == "" && key == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and its key: %w", name, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
