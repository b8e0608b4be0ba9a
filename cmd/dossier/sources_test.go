package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSources: where the options of an error came from is in it, and no value
// of a secret.
func TestSources(t *testing.T) {
	key := filepath.Join(t.TempDir(), "sensor.key")
	if err := os.WriteFile(key, []byte("id:horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env, args, want []string
	}{
		"a password beside a key": {
			[]string{"DOSSIER_ES_USER=elastic", "DOSSIER_ES_PASSWORD=horse"},
			[]string{"--es-api-key-file", key},
			[]string{"option es_api_key_file: got a value beside es_user, want only one of the two; es_api_key_file is from --es-api-key-file, es_user is from the environment, DOSSIER_ES_USER"},
		},
		"a password alone beside a key": {
			[]string{"DOSSIER_ES_PASSWORD=horse"},
			[]string{"--es-api-key-file", key},
			[]string{"es_api_key_file is from --es-api-key-file, es_password is from the environment, DOSSIER_ES_PASSWORD"},
		},
		"two keys": {
			[]string{"DOSSIER_ES_API_KEY=id:horse", "DOSSIER_ES_API_KEY_FILE=" + key},
			nil,
			[]string{"es_api_key_file is from the environment, DOSSIER_ES_API_KEY_FILE, es_api_key is from the environment, DOSSIER_ES_API_KEY"},
		},
		"a flag goes before the environment": {
			[]string{"DOSSIER_ES_HOSTS=http://127.0.0.1:1"},
			[]string{"--es-hosts", "nowhere"},
			[]string{`option es_hosts: got "nowhere"`, "; es_hosts is from --es-hosts"},
		},
		"a wrong value": {
			[]string{"DOSSIER_INDEX_PREFIX=Ä"}, nil, []string{"option index_prefix: got ", "; index_prefix is from the environment, DOSSIER_INDEX_PREFIX"},
		},
		"a password without its user": {
			[]string{"DOSSIER_ES_PASSWORD=horse"}, nil, []string{"option es_user: got nothing beside a password", "; es_password is from the environment, DOSSIER_ES_PASSWORD"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"setup", "check", "keys list"} {
				out, errs, status := dossier(t, test.env, append(strings.Fields(command), test.args...)...)
				if status == 0 || out != "" || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "horse") {
					t.Errorf("%s: status %d, %s%s", command, status, out, errs)
				}
				contains(t, errs, test.want...)
			}
		})
	}
}
