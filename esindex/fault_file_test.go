package esindex

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFileFault: a credential that changed and can't be read is told once, and
// in each 401, until it can be read again.
func TestFileFault(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(path string) error
		want  string
		looks int // until it is told
	}{
		"missing":   {os.Remove, "es_api_key_file: there is no file ", 2},
		"empty":     {func(p string) error { return os.WriteFile(p, nil, 0o600) }, " is empty", 2},
		"two lines": {func(p string) error { return os.WriteFile(p, []byte("a\nb"), 0o600) }, "more than one line", 2},
		"folder":    {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, "es_api_key_file: ", 2},
		"no key":    {func(p string) error { return os.WriteFile(p, []byte("a b c"), 0o600) }, "is no API key", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "key")
				write := func(content string) {
					if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				write("id:first")
				var told []string
				s, err := newSecret(Options{APIKeyFile: path, OnFault: func(err error) { told = append(told, err.Error()) }})
				if err != nil {
					t.Fatal(err)
				}
				look := func() string {
					time.Sleep(2 * recheck)
					h := http.Header{}
					s.set(h)
					return h.Get("Authorization")
				}
				refused := func() string {
					return s.explain(&Error{Op: "bulk", Status: http.StatusUnauthorized, Type: "security_exception"}).Error()
				}
				first := look()
				if text := refused(); !strings.Contains(text, path) || strings.Contains(text, "can't be used") {
					t.Errorf("a 401 does not name the file: %s", text)
				}
				if err := test.spoil(path); err != nil {
					t.Fatal(err)
				}
				for n := range 5 {
					if look() != first {
						t.Error("the credential before is not in use")
					}
					if want := n + 1; len(told) != min(1, want/test.looks) {
						t.Errorf("after %d looks: %q", want, told)
					}
				}
				if len(told) != 1 || !strings.Contains(told[0], test.want) || !strings.Contains(told[0], "stays in use") {
					t.Errorf("told: %q", told)
				}
				if text := refused(); !strings.Contains(text, test.want) || !strings.Contains(text, "can't be used") || strings.Contains(text, "\n") {
					t.Errorf("a 401: %s", text)
				}
				if text := s.explain(&Error{Status: http.StatusForbidden}).Error(); strings.Contains(text, "es_api_key_file") {
					t.Errorf("a 403 is none of its business: %s", text)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				write("id:second-key")
				if look() == first {
					t.Error("the new credential is not in use")
				}
				if text := refused(); strings.Contains(text, "can't be used") {
					t.Errorf("after all is well again: %s", text)
				}
				if err := test.spoil(path); err != nil {
					t.Fatal(err)
				}
				for range test.looks {
					look()
				}
				if len(told) != 2 {
					t.Errorf("the second time: %q", told)
				}
			})
		})
	}
	// Where there is none, none can be wrong or have expired.
	if text := (*secret)(nil).explain(&Error{Status: http.StatusUnauthorized, Fix: "correct es_user"}).Error(); !strings.Contains(text, "none of them is set") || strings.Contains(text, "correct") {
		t.Errorf("a 401 without a credential: %s", text)
	}
	// Nothing else explains what a file of another user does: at once.
	var f fileFault
	if err := f.note(readable("es_api_key_file", "/x", os.ErrPermission)); err == nil || !strings.Contains(err.Error(), "can't be read by this user") {
		t.Errorf("a file of another user's: %v", err)
	}
	if err := f.note(readable("es_api_key_file", "/x", os.ErrPermission)); err != nil {
		t.Errorf("told again: %v", err)
	}
}

// TestTrustFault: the same for certificates.
func TestTrustFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ca.pem")
		var told []string
		tr := &trust{o: Options{CAFile: path, OnFault: func(err error) { told = append(told, err.Error()) }}}
		tr.files.paths = []string{path}
		for range 4 {
			if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
				t.Fatal(err)
			}
			tr.current()
			time.Sleep(2 * recheck)
		}
		if len(told) != 1 || !strings.Contains(told[0], "es_ca_file: "+path+" holds no certificate") {
			t.Errorf("told: %q", told)
		}
	})
}
