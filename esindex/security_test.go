package esindex_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/esnode"
)

// secured is a node with passwords and TLS that asks for a client
// certificate.
func secured(t *testing.T) (n *esnode.Node, options esindex.Options, dir string) {
	n = esnode.Require(t, esnode.Options{Password: "correct-horse", TLS: true, ClientCertificates: true})
	dir = t.TempDir()
	crt, key, err := n.Authority().Client("sensor")
	if err != nil {
		t.Fatal(err)
	}
	options = esindex.Options{Hosts: []string{n.URL}, CAFile: put(t, dir, "ca.crt", n.Authority().CA()),
		ClientCert: put(t, dir, "client.crt", crt), ClientKey: put(t, dir, "client.key", key)}
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
		other, err := esnode.NewAuthority()
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
		other, err := esnode.NewAuthority()
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
	t.Run("privileges", func(t *testing.T) { testPrivileges(t, n, link) })
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

// account makes a user with the index and cluster privileges.
func account(t *testing.T, n *esnode.Node, link esindex.Options, names, index, cluster []string) *esindex.Client {
	t.Helper()
	user := "user-" + strings.ToLower(rand.Text()[:8])
	role := map[string]any{"cluster": cluster, "indices": []any{map[string]any{"names": names, "privileges": index}}}
	n.Must(t, "PUT", "_security/role/"+user, role)
	n.Must(t, "PUT", "_security/user/"+user, map[string]any{"password": "correct-horse", "roles": []string{user}})
	link.User, link.Password = user, "correct-horse"
	return newClient(t, link)
}

// testPrivileges: each privilege of the writer's role and of the one that
// sets up is needed, and nothing else is.
func testPrivileges(t *testing.T, n *esnode.Node, link esindex.Options) {
	writer := []string{"read", "index", "view_index_metadata", "create_index"}
	use := func(t *testing.T, without string, ready bool) error {
		p := newPrefix()
		tt := templates(p, 1)
		admin := link
		admin.User, admin.Password = n.User, n.Password
		a := newClient(t, admin)
		if ready {
			store, err := esindex.NewStore(a, tt)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Install(t.Context(), tt); err != nil {
				t.Fatal(err)
			}
			if _, err := store.EnsureIndex(t.Context(), p+"-months-a"); err != nil {
				t.Fatal(err)
			}
		}
		rights := slices.DeleteFunc(slices.Clone(writer), func(s string) bool { return s == without })
		c := account(t, n, link, []string{p + "-*"}, rights, nil)
		check(t, c) // the cluster's name is not for it, but that is no error
		store, err := esindex.NewStore(c, tt)
		if err != nil {
			t.Fatal(err)
		}
		k := commit.Key{Index: p + "-months-a", ID: "1"}
		for _, op := range []commit.Op{{Key: k, Body: doc("1", "")}, {Kind: commit.Put, Key: k, Body: doc("2", "")}} {
			w, err := store.Write(t.Context(), []commit.Op{op})
			if err != nil {
				return err
			}
			if w[0].Status != commit.Done {
				return errors.New(w[0].Reason)
			}
		}
		r, err := store.Read(t.Context(), []commit.Key{k})
		if err != nil {
			return err
		}
		return r[0].Err
	}
	if err := use(t, "", false); err != nil {
		t.Errorf("the writer's role is not enough: %v", err)
	}
	if err := use(t, "create_index", true); err != nil {
		t.Errorf("with indices that are there the writer's role needs create_index: %v", err)
	}
	for _, p := range writer {
		err := use(t, p, false)
		if err == nil || !strings.Contains(err.Error(), "security_exception") || !strings.Contains(err.Error(), "privilege") {
			t.Errorf("without %s: %v", p, err)
		}
		t.Logf("without %s: %v", p, err)
	}

	for _, without := range []string{"", "manage", "manage_index_templates"} {
		p := newPrefix()
		index, cluster := []string{"manage"}, []string{"manage_index_templates"}
		switch without {
		case "manage":
			index = []string{"view_index_metadata", "create_index"}
		case "manage_index_templates":
			cluster = nil
		}
		c := account(t, n, link, []string{p + "-*"}, index, cluster)
		tt := templates(p, 1)
		_, err := c.Install(t.Context(), tt)
		if err == nil && without == "manage" {
			tt = templates(p, 2) // only an upgrade changes an index
			_, err = c.Install(t.Context(), tt)
		}
		if (err == nil) != (without == "") {
			t.Errorf("set-up without %q: %v", without, err)
		}
		if e, ok := errors.AsType[*esindex.Error](err); err != nil && (!ok || e.Status != http.StatusForbidden) {
			t.Errorf("set-up without %q: %v", without, err)
		}
	}
}
