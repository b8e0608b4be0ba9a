package esindex

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// recheck is how often files are looked at for changes, at most.
const recheck = time.Second

// maxFile bounds the files that are read for credentials.
const maxFile = 1 << 20

// watched is a set of files that are read again when one of them changes.
// The zero value with paths set has read nothing yet.
type watched struct {
	paths  []string
	looked time.Time
	stamps []stamp
}

type stamp struct {
	modified time.Time
	size     int64
}

// changed says whether the files must be read again. It looks at them at
// most once a second.
func (w *watched) changed(now time.Time) bool {
	if !w.looked.IsZero() && now.Sub(w.looked) < recheck && !now.Before(w.looked) {
		return false
	}
	w.looked = now
	stamps := make([]stamp, len(w.paths))
	for i, p := range w.paths {
		if info, err := os.Stat(p); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	same := len(stamps) == len(w.stamps)
	for i := range stamps {
		same = same && stamps[i].size == w.stamps[i].size && stamps[i].modified.Equal(w.stamps[i].modified)
	}
	w.stamps = stamps
	return !same
}

// secret is a credential as a header, from the options or a file.
type secret struct {
	header func(value string) (string, error)
	option string

	onFault func(error)

	mu    sync.Mutex
	files watched
	value string
	fault fileFault
}

// newSecret returns nil where the options have no credentials.
func newSecret(o Options) (*secret, error) {
	s := &secret{onFault: o.OnFault}
	value, file := "", ""
	switch {
	case o.APIKey != "" || o.APIKeyFile != "":
		value, file, s.option, s.header = o.APIKey, o.APIKeyFile, "es_api_key_file", apiKeyHeader
		if file == "" {
			s.option = "es_api_key"
		}
	case o.User != "":
		value, file, s.option = o.Password, o.PasswordFile, "es_password_file"
		s.header = func(password string) (string, error) {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+password)), nil
		}
	default:
		return nil, nil
	}
	if file != "" {
		s.files.paths = []string{file}
		s.files.changed(time.Now())
		return s, s.read()
	}
	var err error
	s.value, err = s.header(value)
	return s, err
}

// read takes the file's content. On an error the value stays as it was.
func (s *secret) read() error {
	path := s.files.paths[0]
	f, err := os.Open(path)
	if err != nil {
		return readable(s.option, path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return readable(s.option, path, err)
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return fmt.Errorf("%s: %s is empty; write the secret into it, on one line", s.option, path)
	}
	if bytes.ContainsAny(b, "\r\n\x00") {
		return fmt.Errorf("%s: %s has more than one line; write nothing but the secret into it", s.option, path)
	}
	value, err := s.header(string(b))
	if err != nil {
		return err
	}
	s.value = value
	return nil
}

// set puts the credential into the header. A changed file that can't be read
// leaves the last credential in use: it may be in the middle of a change. What
// is wrong with it is told, and in each 401 that comes of it.
func (s *secret) set(h http.Header) {
	if s == nil {
		return
	}
	s.mu.Lock()
	var tell error
	if len(s.files.paths) > 0 && s.files.changed(time.Now()) {
		err := s.read()
		if err != nil {
			s.files.stamps = nil // look again
		}
		tell = s.fault.note(err)
	}
	value := s.value
	s.mu.Unlock()
	if tell != nil && s.onFault != nil {
		s.onFault(tell)
	}
	h["Authorization"] = []string{value}
}

// apiKeyHeader takes both forms of an API key.
func apiKeyHeader(key string) (string, error) {
	if strings.Contains(key, ":") {
		return "ApiKey " + base64.StdEncoding.EncodeToString([]byte(key)), nil
	}
	if strings.ContainsAny(key, " \t") {
		return "", errors.New("es_api_key is no API key; give what Elasticsearch returned under \"encoded\", or id:api_key")
	}
	return "ApiKey " + key, nil
}
