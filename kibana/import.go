package kibana

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Client asks a Kibana to import.
type Client struct {
	// URL is Kibana's address, with its server.basePath if it has one:
	// https://kibana:5601.
	URL string
	// Space is the space's id, "" for the default one.
	Space string
	// User and Password, or APIKey, are the credentials. An API key is in the
	// form that Elasticsearch calls encoded.
	User, Password, APIKey string
	// HTTP sends the requests.
	//
	// If HTTP is nil, http.DefaultClient is used.
	HTTP *http.Client
}

// Done is what an import did.
type Done struct {
	// Created is how many objects are there now, new or in place of those that
	// were.
	Created int
	// Failed says of each that isn't why not.
	Failed []string
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// ValidateURL says why Kibana can't be at that address, nil where it can.
func ValidateURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("got %q, want Kibana's address such as https://kibana:5601, without credentials in it", oneLine(raw))
	}
	return nil
}

// ValidateSpace says why space can't be the id of a space.
func ValidateSpace(space string) error {
	if strings.TrimLeft(space, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || len(space) > 100 {
		return fmt.Errorf("got %q, want the id of a space, as its address in Kibana has it behind /s/: a-z, 0-9, _ and -", oneLine(space))
	}
	return nil
}

// ImportDashboards imports saved objects, in place of those of the same ids.
// What was changed in them by hand is lost; copies of them aren't.
func (c *Client) ImportDashboards(ctx context.Context, ndjson []byte) (Done, error) {
	var answer struct {
		Success      bool `json:"success"`
		SuccessCount int  `json:"successCount"`
		Errors       []struct {
			Type  string `json:"type"`
			ID    string `json:"id"`
			Error struct {
				Type    string `json:"type"`
				Message string `json:"message"`
				// References are those that are missing.
				References []struct {
					Type string `json:"type"`
					ID   string `json:"id"`
				} `json:"references"`
			} `json:"error"`
		} `json:"errors"`
	}
	if err := c.post(ctx, "/api/saved_objects/_import?overwrite=true", "dossier-dashboards.ndjson", ndjson, &answer); err != nil {
		return Done{}, err
	}
	done := Done{Created: answer.SuccessCount}
	for _, e := range answer.Errors {
		why := e.Error.Type
		if e.Error.Message != "" {
			why += ": " + e.Error.Message
		}
		for _, r := range e.Error.References {
			why += fmt.Sprintf(", %s %s is missing", r.Type, r.ID)
		}
		done.Failed = append(done.Failed, oneLine(fmt.Sprintf("%s %s: %s", e.Type, e.ID, why)))
	}
	return done, nil
}

// ImportRules imports detection rules, in place of those of the same ids:
// whether they are switched on is then as in the file.
func (c *Client) ImportRules(ctx context.Context, ndjson []byte) (Done, error) {
	var answer struct {
		SuccessCount int `json:"success_count"`
		RulesCount   int `json:"rules_count"`
		Errors       []struct {
			RuleID string `json:"rule_id"`
			Error  struct {
				Status  int    `json:"status_code"`
				Message string `json:"message"`
			} `json:"error"`
		} `json:"errors"`
	}
	if err := c.post(ctx, "/api/detection_engine/rules/_import?overwrite=true", "dossier-rules.ndjson", ndjson, &answer); err != nil {
		return Done{}, err
	}
	done := Done{Created: answer.SuccessCount}
	for _, e := range answer.Errors {
		done.Failed = append(done.Failed, oneLine(fmt.Sprintf("rule %s: %s", e.RuleID, e.Error.Message)))
	}
	return done, nil
}

// post sends a file as Kibana's imports take it.
func (c *Client) post(ctx context.Context, path, name string, file []byte, out any) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return err
	}
	if _, err := part.Write(file); err != nil {
		return err
	}
	if err := form.Close(); err != nil {
		return err
	}
	base := strings.TrimRight(c.URL, "/")
	if c.Space != "" && c.Space != "default" {
		base += "/s/" + c.Space
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	// Kibana refuses requests without it; the value is not looked at.
	r.Header.Set("kbn-xsrf", "dossier")
	switch {
	case c.APIKey != "":
		r.Header.Set("Authorization", "ApiKey "+c.APIKey)
	case c.User != "":
		r.SetBasicAuth(c.User, c.Password)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the address is said below
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("Kibana at %s: no answer in time", oneLine(base))
		}
		return fmt.Errorf("Kibana at %s can't be reached: %w", oneLine(base), err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("Kibana's answer can't be read: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return refused(answer.StatusCode, text, c.Space)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("what answers at %s is no Kibana: %s", oneLine(base), short(text))
	}
	return nil
}

// refused says why Kibana took nothing, and what to do.
func refused(status int, answer []byte, space string) error {
	var said struct {
		Message string `json:"message"`
	}
	json.Unmarshal(answer, &said) // what is no JSON says nothing
	what := oneLine(said.Message)
	if what == "" {
		what = short(answer)
	}
	fix := ""
	switch {
	case status == http.StatusUnauthorized:
		fix = "; give the user or API key of somebody who may write in Kibana: --es-user with DOSSIER_ES_PASSWORD, or DOSSIER_ES_API_KEY"
	case status == http.StatusForbidden:
		fix = "; dashboards take the Kibana privilege Saved Objects Management (all), rules take Security (all)"
	case status == http.StatusNotFound && space != "":
		fix = "; is there a space " + space + "?"
	case status == http.StatusNotFound:
		fix = "; is this Kibana, and is what server.basePath says part of --url?"
	case status == http.StatusUnprocessableEntity, strings.Contains(what, "more recent version"):
		fix = "; Kibana is older than 8.15: update it"
	}
	return fmt.Errorf("Kibana refuses the import with status %d: %s%s", status, what, fix)
}

// short is the beginning of an answer, fit for a line.
func short(b []byte) string {
	const most = 200
	s := oneLine(string(b[:min(len(b), most)]))
	if len(b) > most {
		s += " …"
	}
	return s
}

// oneLine makes text of others fit for a line.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || slices.Contains([]rune{'\u2028', '\u2029'}, r) {
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
}
