package esindex_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/authority"
	"dossier/testbed/esnode"
)

// secured is a node with passwords and TLS that asks for a client
// certificate, and takes only small requests.
func secured(t *testing.T) (n *esnode.Node, options esindex.Options, dir string) {
	n = esnode.Require(t, esnode.Options{Password: "correct-horse", TLS: true, ClientCertificates: true, Settings: map[string]string{
		"http.max_content_length": "100kb", "indexing_pressure.memory.limit": "64kb",
	}})
	dir = t.TempDir()
	crt, key, err := n.Authority().Client("sensor")
	if err != nil {
		t.Fatal(err)
	}
	options = esindex.Options{
		Hosts: []string{n.URL}, CAFile: put(t, dir, "ca.crt", n.Authority().CA()),
		ClientCert: put(t, dir, "client.crt", crt), ClientKey: put(t, dir, "client.key", key),
	}
	return n, options, dir
}

func put(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// check wants a connection to be refused with an error that has all parts, or
// to work where there are none.
func check(t *testing.T, c *esindex.Client, parts ...string) {
	t.Helper()
	_, err := c.Info(t.Context())
	// A loaded node that has just started refuses good passwords at times.
	for end := time.Now().Add(10 * time.Second); err != nil && len(parts) == 0 && time.Now().Before(end); _, err = c.Info(t.Context()) {
		time.Sleep(200 * time.Millisecond)
	}
	if (err == nil) != (len(parts) == 0) {
		t.Errorf("%v, want %q", err, parts)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%v lacks %q", err, p)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "horse") || strings.Contains(err.Error(), "\n")) {
		t.Errorf("%v", err)
	}
}

func TestSecuredNode(t *testing.T) {
	n, link, dir := secured(t)
	as := func(user, password string) esindex.Options {
		o := link
		o.User, o.Password = user, password
		return o
	}
	t.Run("credentials", func(t *testing.T) {
		check(t, newClient(t, as(n.User, n.Password)))
		check(t, newClient(t, as(n.User, "wrong-horse")), "HTTP 401", "es_password")
		check(t, newClient(t, link), "HTTP 401", "es_api_key")
		o := link
		o.APIKey = "abc:horse"
		check(t, newClient(t, o), "HTTP 401")
	})
	t.Run("certificates", func(t *testing.T) {
		o := as(n.User, n.Password)
		o.CAFile = ""
		check(t, newClient(t, o), "not trusted", "es_ca_file")
		o.TLSSkipVerify = true
		check(t, newClient(t, o))
		o = as(n.User, n.Password)
		o.ClientCert, o.ClientKey = "", ""
		check(t, newClient(t, o), "es_client_cert")
		o.Hosts = []string{strings.Replace(n.URL, "https", "http", 1)}
		o.CAFile = ""
		check(t, newClient(t, o), "https://")
		other, err := authority.New()
		if err != nil {
			t.Fatal(err)
		}
		o = as(n.User, n.Password)
		o.CAFile = put(t, dir, "other.crt", other.CA())
		check(t, newClient(t, o), "not trusted")
	})
	t.Run("files that change", func(t *testing.T) {
		o := link
		o.User, o.PasswordFile = n.User, put(t, dir, "password", []byte("wrong-horse\n"))
		c := newClient(t, o)
		check(t, c, "HTTP 401")
		put(t, dir, "password", []byte(n.Password))
		later(t, dir, "password")
		check(t, c)
		os.Remove(o.PasswordFile) // in the middle of a change
		later(t, dir)
		check(t, c)

		// Certificates of this side, and what it trusts.
		other, err := authority.New()
		if err != nil {
			t.Fatal(err)
		}
		o = as(n.User, n.Password)
		o.CAFile = put(t, dir, "changing.crt", other.CA())
		c = newClient(t, o)
		check(t, c, "not trusted")
		put(t, dir, "changing.crt", n.Authority().CA())
		later(t, dir, "changing.crt")
		check(t, c)
		crt, key, err := other.Client("stranger")
		if err != nil {
			t.Fatal(err)
		}
		o = as(n.User, n.Password)
		o.ClientCert, o.ClientKey = put(t, dir, "c.crt", crt), put(t, dir, "c.key", key)
		c = newClient(t, o)
		check(t, c, "es_client_cert")
		crt, key, err = n.Authority().Client("sensor")
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, "c.crt", crt) // and not yet the key
		later(t, dir, "c.crt")
		check(t, c, "es_client_cert")
		put(t, dir, "c.key", key)
		later(t, dir, "c.key")
		check(t, c)
	})
	t.Run("large requests", func(t *testing.T) { testLarge(t, n, link) })
}

// later lets the client look at the files again.
func later(t *testing.T, dir string, names ...string) {
	t.Helper()
	time.Sleep(1100 * time.Millisecond)
	for _, name := range names {
		now := time.Now().Add(time.Second)
		if err := os.Chtimes(filepath.Join(dir, name), now, now); err != nil {
			t.Fatal(err)
		}
	}
}

// testLarge: bulks larger than the node takes are halved, and those it has no
// memory for come back.
func testLarge(t *testing.T, n *esnode.Node, link esindex.Options) {
	change := func(o *esindex.Options) {
		*o = link
		o.User, o.Password, o.Compress = n.User, n.Password, esindex.CompressOff
	}
	t.Run("413", func(t *testing.T) {
		s := newSite(t, n, change)
		var ops []commit.Op
		for i := range 30 {
			ops = append(ops, commit.Op{Key: s.things(fmt.Sprint(i)), Body: doc(strings.Repeat("x", 3000), "")})
		}
		ops[7].Body = doc(strings.Repeat("y", 120_000), "")
		w := write(t, s.store, ops...)
		for i := range w {
			want := commit.Done
			if i == 7 {
				want = commit.Rejected
			}
			if w[i].Status != want {
				t.Errorf("document %d: %+v", i, w[i])
			}
		}
	})
	t.Run("429", func(t *testing.T) {
		s := newSite(t, n, change)
		w := write(t, s.store, commit.Op{Key: s.things("small"), Body: doc("1", "")})
		if w[0].Status != commit.Done {
			t.Fatal(w)
		}
		var ops []commit.Op
		for i := range 20 {
			ops = append(ops, commit.Op{Key: s.things(fmt.Sprint(i)), Body: doc(strings.Repeat("x", 3000), "")})
		}
		w, err := s.store.Write(t.Context(), ops)
		e, _ := errors.AsType[*esindex.Error](err)
		if e == nil || e.Status != http.StatusTooManyRequests || e.Type != "es_rejected_execution_exception" || e.Fix == "" {
			t.Errorf("%+v, %v", w, err)
		}
		t.Log(err)
	})
}
