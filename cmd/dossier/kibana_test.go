package main

import (
	"strings"
	"testing"

	"dossier/kibana"
)

// Kibana is asked where the other commands ask Elasticsearch.
func init() {
	for _, command := range []string{"kibana dashboards", "kibana rules"} {
		to := func(s *stub) []string { return []string{"--url", s.URL} }
		secured := func(u use, more ...string) []string { return append([]string{"--url", u.w.tls.URL}, more...) }
		for flag, r := range map[string]row{
			"url": {"kibana:5601", "want Kibana's address", func(u use) {
				u.run(u.w.http.URL)
				u.asks(u.w.http, "imports", func(a asked) bool {
					return strings.HasPrefix(a.line, "POST /api/") && strings.Contains(a.body, `"dossier-`)
				})
			}},
			"space": {"So C", "want the id of a space", func(u use) {
				u.run("soc", to(u.w.http)...)
				u.asks(u.w.http, "goes to the space", func(a asked) bool { return strings.HasPrefix(a.line, "POST /s/soc/api/") })
			}},
			"index-prefix": option("index_prefix", "Dossier", func(u use) {
				out, errs, status := u.run("other")
				if want := string(map[string][]byte{"kibana dashboards": kibana.Dashboards("other"), "kibana rules": kibana.Rules("other")}[u.command]); out != want || errs != "" || status != 0 {
					u.Errorf("status %d, %s: %.200q", status, errs, out)
				}
			}),
			"es-user": option("es_user", "a:b", func(u use) {
				u.more = append(u.more, "DOSSIER_ES_PASSWORD=env-horse")
				u.run("anna", to(u.w.http)...)
				u.asks(u.w.http, "is anna's", basic("anna:env-horse"))
			}),
			"es-password-file": option("es_password_file", "/nowhere", func(u use) {
				u.run(u.w.password, append(to(u.w.http), "--es-user=anna")...)
				u.asks(u.w.http, "has the file's password", basic("anna:file-horse"))
			}),
			"es-api-key-file": option("es_api_key_file", "/nowhere", func(u use) {
				u.run(u.w.key, to(u.w.http)...)
				u.asks(u.w.http, "has the file's key", func(a asked) bool { return a.authorization == "ApiKey aWQ6a2V5" })
			}),
			"es-ca-file": option("es_ca_file", "/nowhere", func(u use) {
				u.run(u.w.tls.ca, secured(u)...)
				u.asks(u.w.tls, "came", anything)
				u.run(u.w.otherCA, secured(u)...)
				if seen := u.w.tls.take(); len(seen) > 0 {
					u.Errorf("a Kibana is trusted that nobody vouches for: %s", lines(seen))
				}
			}),
			"es-client-cert": option("es_client_cert", "/nowhere", func(u use) {
				u.run(u.w.clientCert, secured(u, "--es-ca-file", u.w.tls.ca, "--es-client-key", u.w.clientKey)...)
				u.asks(u.w.tls, "shows the certificate", func(a asked) bool { return a.client == "operator" })
			}),
			"es-client-key": option("es_client_key", "/nowhere", func(u use) {
				u.run(u.w.clientKey, secured(u, "--es-ca-file", u.w.tls.ca, "--es-client-cert", u.w.clientCert)...)
				u.asks(u.w.tls, "shows the certificate", func(a asked) bool { return a.client == "operator" })
			}),
			"es-tls-verify": option("es_tls_verify", "maybe", func(u use) {
				_, errs, _ := u.run("off", secured(u)...)
				u.asks(u.w.tls, "came", anything)
				contains(u.T, errs, "dossier: warning: es_tls_verify is off")
			}),
			"timeout": {"-1s", "want a duration such as 90s or 10m", func(u use) {
				out, errs, status := u.run("300ms", to(u.w.hang)...)
				if contains(u.T, out+errs, "no answer in time"); status == 0 {
					u.Error("it is well without an answer")
				}
			}},
		} {
			rows[command+" --"+flag] = r
		}
	}
}

// --prefix is what the other commands call --index-prefix, and without --url no
// space is chosen.
func TestKibanaFiles(t *testing.T) {
	out, errs, status := dossier(t, nil, "kibana", "rules", "--prefix", "other")
	if out != string(kibana.Rules("other")) || errs != "" || status != 0 {
		t.Errorf("status %d, %s: %.200q", status, errs, out)
	}
	out, errs, status = dossier(t, []string{"DOSSIER_ES_USER=anna", "DOSSIER_ES_HOSTS=nowhere"}, "kibana", "dashboards")
	if out != string(kibana.Dashboards("dossier")) || errs != "" || status != 0 {
		t.Errorf("status %d, %s: %.200q", status, errs, out)
	}
	if _, errs, status = dossier(t, nil, "kibana", "dashboards", "--space", "soc"); status != 1 || !strings.Contains(errs, "say where Kibana is with --url") {
		t.Errorf("status %d, %s", status, errs)
	}
}
