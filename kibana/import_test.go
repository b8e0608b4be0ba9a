package kibana

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What Kibana's routes ask for (8.15 to 9.3): of src/core/packages/saved-objects/
// server-internal/src/routes/import.ts and of rules/import_rules/route.ts in the
// security solution. Each is refused without the header, and takes one file.
var routes = map[string]struct {
	path    string
	query   map[string]string // those that it knows, with the values that are taken
	answer  string
	created int
	failed  string
}{
	"dashboards": {
		"/api/saved_objects/_import",
		map[string]string{"overwrite": "true"},
		`{"successCount":11,"success":false,"warnings":[],"successResults":[],"errors":[{"type":"search","id":"dossier-changes","meta":{"title":"x"},"error":{"type":"missing_references","references":[{"type":"index-pattern","id":"gone"}]}}]}`,
		11, "search dossier-changes: missing_references, index-pattern gone is missing",
	},
	"rules": {
		"/api/detection_engine/rules/_import",
		map[string]string{"overwrite": "true"},
		`{"success":false,"success_count":9,"rules_count":10,"errors":[{"rule_id":"a1","error":{"status_code":400,"message":"Bad\nthing"}}],"exceptions_errors":[],"exceptions_success":true,"exceptions_success_count":0}`,
		9, "rule a1: Bad?thing",
	},
}

// kibanaStub answers as Kibana does to imports into a space.
func kibanaStub(t *testing.T, got *[]byte) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			if r.URL.Path != "/base/s/soc"+route.path {
				continue
			}
			switch {
			case r.Method != http.MethodPost:
				http.Error(w, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`, 404)
			case r.Header.Get("kbn-xsrf") == "":
				http.Error(w, `{"statusCode":400,"error":"Bad Request","message":"Request must contain a kbn-xsrf header."}`, 400)
			case r.Header.Get("Authorization") != "ApiKey aWQ6a2V5":
				http.Error(w, `{"statusCode":401,"error":"Unauthorized","message":"[security_exception]: missing authentication"}`, 401)
			default:
				for name, v := range r.URL.Query() {
					if route.query[name] != v[0] {
						t.Errorf("the query has %s=%s", name, v[0])
					}
				}
				if err := r.ParseMultipartForm(1 << 20); err != nil {
					t.Error(err)
					return
				}
				files := r.MultipartForm.File
				if len(files) != 1 || len(files["file"]) != 1 || len(r.MultipartForm.Value) != 0 || !strings.HasSuffix(files["file"][0].Filename, ".ndjson") {
					t.Errorf("the form has %v and %v", files, r.MultipartForm.Value)
					return
				}
				f, err := files["file"][0].Open()
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				if *got, err = io.ReadAll(f); err != nil {
					t.Error(err)
				}
				io.WriteString(w, route.answer)
			}
			return
		}
		http.Error(w, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`, 404)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestImport(t *testing.T) {
	var got []byte
	s := kibanaStub(t, &got)
	c := &Client{URL: s.URL + "/base/", Space: "soc", APIKey: "aWQ6a2V5"}
	for name, route := range routes {
		send, file := c.ImportDashboards, Dashboards("other")
		if name == "rules" {
			send, file = c.ImportRules, Rules("other")
		}
		done, err := send(t.Context(), file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if done.Created != route.created || !slices.Equal(done.Failed, []string{route.failed}) || string(got) != string(file) {
			t.Errorf("%s: %+v, %d bytes", name, done, len(got))
		}
	}
	for _, c := range []struct {
		Client
		want string
	}{
		{Client{URL: s.URL + "/base", Space: "soc", User: "anna"}, "status 401: [security_exception]: missing authentication; give the user or API key"},
		{Client{URL: s.URL + "/base", Space: "gone", APIKey: "x"}, "status 404: Not Found; is there a space gone?"},
		{Client{URL: s.URL, APIKey: "x"}, "status 404: Not Found; is this Kibana"},
		{Client{URL: "http://127.0.0.1:1"}, "can't be reached"},
	} {
		if _, err := c.ImportRules(t.Context(), Rules("other")); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestWhatIsNoAnswerOfKibana(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>\n\x1b[31mlogin") }))
	defer s.Close()
	_, err := (&Client{URL: s.URL}).ImportDashboards(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "is no Kibana: <html>??[31mlogin") {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for _, bad := range []string{"", "kibana:5601", "ftp://kibana", "https://", "https://anna:x@kibana", "https://kibana?x", "https://kibana#x"} {
		if ValidateURL(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, good := range []string{"http://localhost:5601", "https://kibana/base"} {
		if err := ValidateURL(good); err != nil {
			t.Error(err)
		}
	}
	if ValidateSpace("../x") == nil || ValidateSpace("Soc") == nil || ValidateSpace("soc-1_a") != nil {
		t.Error("spaces")
	}
}
