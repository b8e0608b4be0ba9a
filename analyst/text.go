package analyst

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"dossier/correlate/event"
)

// Text is a text of a document, repaired (event.Arena.Clean) and at most
// MaxText bytes long.
type Text string

// MaxText bounds a text that is shown: no field of a profile is longer.
const MaxText = 8192

// Repair makes text of a document fit to be shown.
func Repair(s string) Text {
	var a event.Arena
	clean, _ := a.Clean(s, MaxText)
	return Text(strings.Clone(clean))
}

// UnmarshalJSON implements json.Unmarshaler. What is no string is shown as it
// is written.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		s = string(b)
	}
	*t = Repair(s)
	return nil
}

// Texts is a list of texts. A document may hold one without a list around it.
type Texts []Text

// UnmarshalJSON implements json.Unmarshaler.
func (t *Texts) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] != '[' {
		var one Text
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]Text)(t))
}

// Strings returns the texts as strings.
func (t Texts) Strings() []string {
	out := make([]string, len(t))
	for i := range t {
		out[i] = string(t[i])
	}
	return out
}

// Time is a time of a document, zero where it can't be read.
type Time struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		t.Time, _ = time.Parse(time.RFC3339Nano, s)
	}
	return nil
}

// Short is the time to the second, in UTC; "-" for none.
func (t Time) Short() string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// repaired returns a JSON value in which every string, names of members
// included, is repaired.
func repaired(v any) any {
	switch v := v.(type) {
	case string:
		return string(Repair(v))
	case []any:
		for i := range v {
			v[i] = repaired(v[i])
		}
	case map[string]any:
		for name, member := range v {
			clean := string(Repair(name))
			if clean != name {
				delete(v, name)
			}
			v[clean] = repaired(member)
		}
	}
	return v
}
