package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fluentBit writes a configuration of Fluent Bit with these outputs.
func fluentBit(t *testing.T, outputs string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fluent-bit.yaml")
	text := "service: {grace: 15, scheduler.cap: 30, storage.path: /var/lib/fluent-bit}\npipeline:\n  inputs:\n    - {name: http, tag: a, storage.type: filesystem}\n  outputs:\n" + outputs
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfigComesLast: a flag goes before the environment, and that before the file; of what
// belongs together the file's is put aside as a whole; an option that the command doesn't
// take is not asked for.
func TestConfigComesLast(t *testing.T) {
	file := fluentBit(t, "    - {name: dossier, match: a, es_hosts: 'http://file:9200', index_prefix: file, es_api_key: 'f:k', tlp: RED, shards: 7}\n    - {name: dossier, match: a, es_hosts: 'http://file:9200', index_prefix: other, es_api_key: 'f:k'}\n")
	c := newRetain()
	giveOnce(c)
	if err := c.ParseFlags([]string{"--config", file}); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(c); err == nil || !strings.Contains(err.Error(), "dossier.0 ("+file+":6) and dossier.1 ("+file+":7) set index_prefix differently: give --index-prefix") {
		t.Errorf("two prefixes: %v", err)
	}
	t.Setenv("DOSSIER_INDEX_PREFIX", "env")
	o, err := parse(c)
	if err != nil || o.IndexPrefix != "env" || len(o.Hosts) != 1 || o.Hosts[0] != "http://file:9200" || o.APIKey.Reveal() == "" || o.Shards != 1 || o.TLP != "AMBER" {
		t.Errorf("%+v, %v", o, err)
	}
	if err := c.ParseFlags([]string{"--index-prefix", "flag", "--es-user", "anna"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOSSIER_ES_PASSWORD", "horse")
	if o, err = parse(c); err != nil || o.IndexPrefix != "flag" || o.User != "anna" || o.APIKey.Reveal() != "" {
		t.Errorf("%+v, %v", o, err)
	}

	wrong := fluentBit(t, "    - {name: dossier, match: a, es_hosts: nowhere}\n")
	c = newRetain()
	if err := c.ParseFlags([]string{"--config", wrong}); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(c); err == nil || !strings.Contains(err.Error(), "es_hosts is from "+wrong+":6") {
		t.Errorf("where it is from: %v", err)
	}
	if err := newRetain().ParseFlags([]string{"--config", fluentBit(t, "    - {name: es}\n")}); err == nil || !strings.Contains(err.Error(), "no output with the name dossier") {
		t.Errorf("without an output: %v", err)
	}
}

// TestCheckConfig: what is wrong with the file is said with its line, and each place that
// its outputs lead to is looked at once.
func TestCheckConfig(t *testing.T) {
	s := newStub(t, false)
	file := fluentBit(t, `    - {name: dossier, match: a, retry_limit: no_limits, es_hosts: "`+s.URL+`"}
    - {name: dossier, match: a, retry_limit: no_limits, es_hosts: "`+s.URL+`", sensor_id: another}
    - {name: dossier, match: b, alias: north, retry_limt: no_limits, es_hosts: "`+s.URL+`", index_prefix: north}
    - {name: dossier, match: a, retry_limit: no_limits, es_hosts: nowhere}
`)
	out, errs, status := dossier(t, nil, "check", "--config", file)
	contains(t, out,
		"WARN configuration: "+file+":8: retry_limt does not exist here and has no effect; did you mean retry_limit?",
		"WARN configuration: "+file+":8: retry_limit is not set: Fluent Bit gives up a chunk after one retry, and what is in it is lost; set retry_limit no_limits",
		"FAIL configuration: "+file+":8: match b matches the tag of no input: it gets no records; the inputs have a",
		"FAIL configuration: "+file+":9: option es_hosts: got ",
		"ok   dossier.0, connection: cluster stub", "ok   north, connection: cluster stub", "FAIL dossier.3, options: ",
		"FAIL dossier.0, templates: dossier-attackers is missing", "FAIL north, templates: north-attackers is missing",
	)
	if status != 2 || errs != "" || strings.Contains(out, "dossier.1,") {
		t.Errorf("status %d, %s\n%s", status, errs, out)
	}
	one := fluentBit(t, `    - {name: dossier, match: a, retry_limit: no_limits, es_hosts: "`+s.URL+"\"}\n")
	out, _, _ = dossier(t, nil, "check", "--config", one)
	contains(t, out, "ok   configuration: "+one+": 1 outputs of Dossier, nothing that loses data or has no effect\n", "\nok   connection: cluster stub")
}
