package esindex_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dossier/esindex"
)

func TestOptionsSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	local := []string{"http://127.0.0.1:9200"}
	remote := []string{"https://es.example.org"}
	for _, c := range []struct {
		name string
		o    esindex.Options
		want string // part of the error; "" for none
	}{
		{"plain", esindex.Options{Hosts: local}, ""},
		{"all", esindex.Options{Hosts: []string{"https://a:1/es/", "http://[::1]:9200"}, User: "u", Password: "p", MaxBulkBytes: 1, MaxBulkDocs: 1}, ""},
		{"cloud", esindex.Options{CloudID: "name:ZXhhbXBsZS5vcmckYWJjJGRlZg==", APIKey: "a:b"}, ""},
		{"key", esindex.Options{Hosts: local, APIKey: "YTpi"}, ""},
		{"key file", esindex.Options{Hosts: local, APIKeyFile: file("key", "YTpi\n")}, ""},
		{"nothing", esindex.Options{}, "es_hosts is empty"},
		{"both", esindex.Options{Hosts: local, CloudID: "x:y"}, "keep one"},
		{"no scheme", esindex.Options{Hosts: []string{"es:9200"}}, "write https://es:9200"},
		{"ftp", esindex.Options{Hosts: []string{"ftp://es"}}, "http(s)://host:port"},
		{"empty host", esindex.Options{Hosts: []string{""}}, "http(s)://host:port"},
		{"query", esindex.Options{Hosts: []string{"http://es?x=y"}}, "http(s)://host:port"},
		{"in the address", esindex.Options{Hosts: []string{"http://u:hunter2@es"}}, "es_user"},
		{"cloud id", esindex.Options{CloudID: "hunter2"}, "es_cloud_id"},
		{"cloud id 2", esindex.Options{CloudID: "n:ZXhhbXBsZS5vcmc="}, "es_cloud_id"},
		{"user alone", esindex.Options{Hosts: local, User: "u"}, "es_password"},
		{"password alone", esindex.Options{Hosts: local, Password: "hunter2"}, "es_user"},
		{"two ways", esindex.Options{Hosts: local, User: "u", Password: "hunter2", APIKey: "a:b"}, "keep one"},
		{"two keys", esindex.Options{Hosts: local, APIKeyFile: "x", APIKey: "a:b"}, "keep one"},
		{"two passwords", esindex.Options{Hosts: local, User: "u", Password: "hunter2", PasswordFile: "x"}, "keep one"},
		{"lines", esindex.Options{Hosts: local, User: "u", Password: "hunter2\r\nX: y"}, "single lines"},
		{"key with blanks", esindex.Options{Hosts: local, APIKey: "hunter2 x"}, "encoded"},
		{"no such key file", esindex.Options{Hosts: local, APIKeyFile: filepath.Join(dir, "none")}, "es_api_key_file: there is no file"},
		{"empty key file", esindex.Options{Hosts: local, APIKeyFile: file("empty", "\n")}, "is empty"},
		{"long key file", esindex.Options{Hosts: local, APIKeyFile: file("long", "hunter2\nhunter2")}, "more than one line"},
		{"no such password file", esindex.Options{Hosts: local, User: "u", PasswordFile: dir}, "es_password_file"},
		{"half a pair", esindex.Options{Hosts: remote, ClientCert: "x"}, "es_client_key"},
		{"CA without TLS", esindex.Options{Hosts: local, CAFile: "x"}, "https://"},
		{"no CA", esindex.Options{Hosts: remote, CAFile: filepath.Join(dir, "none")}, "es_ca_file: there is no file"},
		{"no certificate", esindex.Options{Hosts: remote, CAFile: file("ca", "hunter2")}, "PEM"},
		{"no pair", esindex.Options{Hosts: remote, ClientCert: file("c", "hunter2"), ClientKey: file("k", "hunter2")}, "no pair"},
		{"no client key", esindex.Options{Hosts: remote, ClientCert: file("c", "hunter2"), ClientKey: "/none"}, "es_client_key: there is no file"},
		{"negative", esindex.Options{Hosts: local, MaxBulkDocs: -1}, "negative"},
		{"user agent", esindex.Options{Hosts: local, UserAgent: "a\nb"}, "single line"},
	} {
		client, err := esindex.New(c.o)
		if err == nil {
			client.Close()
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		o    esindex.Options
		want []string
	}{
		{esindex.Options{Hosts: []string{"http://127.0.0.1", "http://localhost", "http://[::1]", "https://es"}, APIKey: "a:b"}, nil},
		{esindex.Options{Hosts: []string{"http://es"}}, nil},
		{esindex.Options{Hosts: []string{"http://es"}, User: "u", Password: "hunter2"}, []string{"unencrypted"}},
		{esindex.Options{Hosts: []string{"https://es"}, TLSSkipVerify: true}, []string{"es_tls_verify"}},
	} {
		got := c.o.Warnings()
		if len(got) != len(c.want) {
			t.Errorf("%+v: %q", c.o, got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) || strings.Contains(got[i], "hunter2") {
				t.Errorf("%q", got[i])
			}
		}
	}
}

func TestParseCompress(t *testing.T) {
	for s, want := range map[string]esindex.Compress{"": esindex.CompressAuto, "auto": esindex.CompressAuto, "ON": esindex.CompressOn, "off": esindex.CompressOff} {
		if got, err := esindex.ParseCompress(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if _, err := esindex.ParseCompress("zip"); err == nil {
		t.Error("zip passes")
	}
}

// FuzzOptions: no text in the options makes New panic, or an error of several
// lines or with the password in it.
func FuzzOptions(f *testing.F) {
	f.Add("http://127.0.0.1:9200", "", "u", "")
	f.Add("https://[::1]:9200/x", "name:ZXhhbXBsZS5vcmckYWJjJGRlZg==", "", "a:b")
	f.Add("http://u:p@h", "x", "u:v", "\x00")
	f.Fuzz(func(t *testing.T, host, cloud, user, key string) {
		const password = "correct horse battery staple"
		for _, o := range []esindex.Options{
			{Hosts: []string{host}, User: user, Password: password}, {CloudID: cloud, APIKey: key}, {Hosts: []string{host, host}, CloudID: cloud},
		} {
			c, err := esindex.New(o)
			if err == nil {
				c.Close()
				continue
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("%q", err)
			}
		}
		esindex.ParseCompress(key)
	})
}
