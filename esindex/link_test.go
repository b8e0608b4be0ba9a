package esindex_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dossier/esindex"
	"dossier/esindex/esindextest"
	"dossier/testbed/authority"
	"dossier/testbed/port"
)

func newAuthority(t *testing.T) *authority.Authority {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// behindTLS starts a node in memory with a certificate for loopback, as change
// makes it.
func behindTLS(t *testing.T, by *authority.Authority, change func(*x509.Certificate), config *tls.Config) string {
	t.Helper()
	crt, key, err := by.Issue(func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if change != nil {
			change(c)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{pair}
	s := httptest.NewUnstartedServer(esindextest.New(t))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = config
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// TestTLSErrorsSayWhatToDo: each cause has its own line.
func TestTLSErrorsSayWhatToDo(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	file := put(t, t.TempDir(), "ca.crt", ca.CA())
	hour := time.Hour
	for name, c := range map[string]struct {
		by     *authority.Authority
		change func(*x509.Certificate)
		config *tls.Config
		want   []string
	}{
		"good":         {ca, nil, &tls.Config{}, nil},
		"other name":   {ca, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"es.example.org"}, nil }, &tls.Config{}, []string{"for another name than 127.0.0.1", "es_hosts"}},
		"expired":      {ca, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(-2*hour), time.Now().Add(-hour) }, &tls.Config{}, []string{"expired or is not valid yet", "clock"}},
		"not yet":      {ca, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(hour), time.Now().Add(2*hour) }, &tls.Config{}, []string{"expired or is not valid yet", "clock"}},
		"unknown":      {other, nil, &tls.Config{}, []string{"not trusted", "es_ca_file"}},
		"wants a pair": {ca, nil, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, []string{"es_client_cert"}},
		"old protocol": {ca, nil, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, []string{"tls: "}},
	} {
		client := newClient(t, esindex.Options{Hosts: []string{behindTLS(t, c.by, c.change, c.config)}, CAFile: file})
		_, err := client.Info(t.Context())
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v lacks %q", name, err, part)
			}
		}
	}
}

// raw starts a server that answers each connection with f.
func raw(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c) }()
		}
	}()
	return l.Addr().String()
}

// TestBrokenConnectionsSayWhatToDo: what isn't a node, or goes away.
func TestBrokenConnectionsSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(net.Conn)
		want string
	}{
		"reset": {func(c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			c.(*net.TCPConn).SetLinger(0)
		}, "the connection was reset"},
		"closed":   {func(c net.Conn) { bufio.NewReader(c).ReadString('\n') }, "the connection"},
		"ssh":      {func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); io.Copy(io.Discard, c) }, "not HTTP; correct the port"},
		"too late": {func(c net.Conn) { io.Copy(io.Discard, c) }, "no answer in time; look whether"},
	} {
		client := newClient(t, esindex.Options{Hosts: []string{"http://" + raw(t, c.f)}})
		ctx := t.Context()
		if name == "too late" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
		}
		if _, err := client.Info(ctx); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestSpokenToUnasked: what speaks before the request is sent, which a
// connection may or may not see in time, is no node either.
func TestSpokenToUnasked(t *testing.T) {
	var none error
	err := &url.Error{Op: "Get", URL: "http://x", Err: fmt.Errorf("readLoopPeekFailLocked: %w", none)} // as net/http has it
	if got := esindex.TransportError(err); got != "elasticsearch: read: the answer is not HTTP; correct the port in es_hosts, and write https:// where the node has TLS" {
		t.Error(got)
	}
	if got := esindex.TransportError(err.Err); !strings.Contains(got, "not HTTP") {
		t.Error(got)
	}
	reset := &url.Error{Op: "Get", URL: "http://x", Err: fmt.Errorf("readLoopPeekFailLocked: %w", syscall.ECONNRESET)}
	if got := esindex.TransportError(reset); !strings.Contains(got, "the connection was reset") {
		t.Error(got)
	}
}

// TestNodesAreTriedInTurn only where nothing can have been sent.
func TestNodesAreTriedInTurn(t *testing.T) {
	var got atomic.Int32
	reset := raw(t, func(c net.Conn) {
		got.Add(1)
		http.ReadRequest(bufio.NewReader(c))
		c.(*net.TCPConn).SetLinger(0)
	})
	client := newClient(t, esindex.Options{Hosts: []string{"http://" + reset, "http://localhost:" + strings.Split(reset, ":")[1], "http://" + reset + "/"}})
	if _, err := client.Info(t.Context()); err == nil {
		t.Error("no error")
	}
	if n := got.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	l := newLab(t, nil)
	dead := port.Address(t)
	client = newClient(t, esindex.Options{Hosts: []string{"http://" + dead, l.URL, l.URL + "/", "  " + l.URL}})
	for range 4 {
		if _, err := client.Info(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := len(l.Requests("/")); n != 4 {
		t.Errorf("%d requests", n)
	}
	// A path in front of a node's own, as a proxy has.
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/es/" {
			t.Errorf("path %s", r.URL.Path)
		}
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		io.WriteString(w, `{"cluster_name":"c","version":{"number":"1"}}`)
	}))
	defer behind.Close()
	if info, err := newClient(t, esindex.Options{Hosts: []string{behind.URL + "/es/"}}).Info(t.Context()); err != nil || info != (esindex.Info{Product: esindex.Elasticsearch, Cluster: "c", Version: "1"}) {
		t.Errorf("%+v, %v", info, err)
	}
}

// proxyTest is set in the process that TestProxies starts: net/http reads the
// environment's proxies once.
const proxyTest = "ESINDEX_TEST_PROXY_HOST"

func TestProxies(t *testing.T) {
	if host := os.Getenv(proxyTest); host != "" {
		client := newClient(t, esindex.Options{Hosts: []string{host}})
		info, err := client.Info(t.Context())
		fmt.Printf("RESULT %v|%v\n", info.Cluster, err)
		return
	}
	node := esindextest.New(t)
	answering := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status == 200 && r.URL.Host == "es.example.test" { // a proxy for plain HTTP
				node.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return strings.Replace(s.URL, "http://", "http://user:hunter2@", 1)
	}
	for _, c := range []struct {
		host, proxy string
		want        string
	}{
		{"http://es.example.test", answering(200), "esindextest|<nil>"},
		{"http://es.example.test", answering(407), "HTTP 407: Proxy Authentication Required; correct the credentials in HTTPS_PROXY or HTTP_PROXY"},
		{"https://es.example.test", answering(407), "doesn't connect to the node: HTTP 407 Proxy Authentication Required; correct the credentials in HTTPS_PROXY"},
		{"https://es.example.test", answering(403), "doesn't connect to the node: HTTP 403 Forbidden; look at the proxy of HTTPS_PROXY"},
		{"https://es.example.test", answering(502), "doesn't connect to the node: HTTP 502 Bad Gateway; look at the proxy"},
		{"https://es.example.test", "http://127.0.0.1:1", "the proxy can't be reached"},
		{"http://es.example.test", "http://127.0.0.1:1", "the proxy can't be reached"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxies$")
		cmd.Env = append(os.Environ(), proxyTest+"="+c.host, "HTTP_PROXY="+c.proxy, "HTTPS_PROXY="+c.proxy, "NO_PROXY=", "http_proxy=", "https_proxy=", "no_proxy=")
		out, _ := cmd.CombinedOutput()
		if !strings.Contains(string(out), c.want) || strings.Contains(string(out), "hunter2") {
			t.Errorf("%s by %.20s: %s, want %q", c.host, c.proxy, out, c.want)
		}
	}
}

// TestCloudIDs are read as Elastic's own tools read them: the cases of
// libbeat's and go-elasticsearch's own tests, and forms that only one takes.
func TestCloudIDs(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for id, want := range map[string]string{
		"name:" + b64("eu.example.org$abc$def"):                   "https://abc.eu.example.org",
		b64("eu.example.org$abc$def"):                             "https://abc.eu.example.org",
		":" + b64("eu.example.org$abc$def"):                       "https://abc.eu.example.org",
		"my:own:label:" + b64("eu.example.org$abc$def"):           "https://abc.eu.example.org",
		"name:" + b64("eu.example.org:9243$abc$def"):              "https://abc.eu.example.org:9243",
		"name:" + b64("eu.example.org$abc:9244$def"):              "https://abc.eu.example.org:9244",
		"name:" + b64("eu.example.org:9243$abc:9244$def:9245"):    "https://abc.eu.example.org:9244",
		"name:" + b64("eu.example.org:9243$abc$def:9245"):         "https://abc.eu.example.org:9243",
		"name:" + b64("eu.example.org$abc$"):                      "https://abc.eu.example.org",
		"name:" + b64("eu.example.org$abc"):                       "https://abc.eu.example.org",
		"name:" + b64("host$es_uuid$kibana_uuid"):                 "https://es_uuid.host",
		"name:" + b64("eu.example.org$abc$def$more$more"):         "https://abc.eu.example.org",
		" name:" + b64("eu.example.org$abc$def") + "\n":           "https://abc.eu.example.org",
		"n:" + strings.TrimRight(b64("eu.example.org$abc"), "="):  "https://abc.eu.example.org",
		"n:" + strings.TrimRight(b64("eu.example.org$abcd"), "="): "https://abcd.eu.example.org",

		"":                                   "",
		"name:":                              "",
		"name":                               "",
		"name:" + b64("eu.example.org"):      "",
		"name:" + b64("$abc$def"):            "",
		"name:" + b64("eu.example.org$$x"):   "",
		"name:" + b64("eu$undefined$x"):      "",
		"name:" + b64("eu$abc:$x"):           "https://abc.eu",
		"name:" + b64("eu$abc:0$x"):          "",
		"name:" + b64("eu$abc:65536$x"):      "",
		"name:" + b64("eu$abc:x$x"):          "",
		"name:" + b64("eu:1:2$abc$x"):        "",
		"name:" + b64("eu/path$abc$x"):       "",
		"name:" + b64("eu#f$abc$x"):          "",
		"name:" + b64("user@eu$abc$x"):       "",
		"name:" + b64("eu?q$abc$x"):          "",
		"name:" + b64("eu$a b$x"):            "",
		"name:" + b64("eu..org$abc$x"):       "",
		"name:" + b64("eu$abc\n$x"):          "",
		"name:" + b64("eu\x00$abc$x"):        "",
		"name:garbage" + b64("eu$abc$x")[1:]: "",
	} {
		o := esindex.Options{CloudID: id}
		if id == "" {
			continue
		}
		err := o.Validate()
		if (err == nil) != (want != "") || err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "es_cloud_id")) {
			t.Errorf("%q: %v, want %q", id, err, want)
			continue
		}
		if want == "" {
			continue
		}
		if got := esindex.CloudHost(t, id); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}

// TestKeyFilesAreReadAgain when they change, and only then; while one can't
// be read the last key stays.
func TestKeyFilesAreReadAgain(t *testing.T) {
	l := newLab(t, nil)
	path := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("k", 400)
	write("id:" + long)
	client := newClient(t, esindex.Options{Hosts: []string{l.URL}, APIKeyFile: path})
	sent := func() string {
		t.Helper()
		if _, err := client.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		list := l.Requests("/")
		return list[len(list)-1].Header.Get("Authorization")
	}
	first := "ApiKey " + base64.StdEncoding.EncodeToString([]byte("id:"+long))
	if got := sent(); got != first {
		t.Errorf("%q", got)
	}
	write("\n")
	later(t, filepath.Dir(path), "key")
	if got := sent(); got != first {
		t.Errorf("an empty file: %q", got)
	}
	write("bmV4dA==\n")
	deadline := time.Now().Add(10 * time.Second)
	for sent() != "ApiKey bmV4dA==" {
		if time.Now().After(deadline) {
			t.Fatal("the new key is never used")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
