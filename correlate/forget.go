package correlate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/state"
)

// AppendIndicatorWithout appends the document of an indicator without the attacker of
// that id, and says whether it was in it; where not, nothing is appended. What was
// counted, and the chunks applied, stay as they are. An error says that the
// state can't be read (commit.ErrNewer, commit.ErrCorrupt).
func (a *Anew) AppendIndicatorWithout(dst []byte, kind, value, attacker string, stored []byte, now time.Time) (doc []byte, was bool, err error) {
	payload, err := commit.Payload(stored)
	if err != nil {
		return dst, false, err
	}
	var s state.Indicator
	s.By(a.by)
	if err := s.Decode(payload); err != nil {
		return dst, false, err
	}
	if !s.Forget(attacker) {
		return dst, false, nil
	}
	h := Head{Now: now}
	if h.State, err = commit.WithPayload(stored, s.Append(nil)); err != nil {
		return dst, false, err
	}
	return a.renderer.AppendIndicator(dst, h, kind, value, &s), true, nil
}

// AttackerOf returns the id of the attacker that a document of an hour, a mail domain or
// an attacker is about.
func AttackerOf(id string) string { return attackerOf(commit.Key{ID: id}) }

// ForgetInLetter takes the events of one attacker out of what EncodeDelta
// returned for an indicator. It returns nil where no others are left, and raw
// itself where none was of the attacker.
func ForgetInLetter(raw json.RawMessage, attacker string) (json.RawMessage, error) {
	// Names that only a newer version knows stay.
	var all map[string]json.RawMessage
	var events []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("correlate: a dead letter's events: %w", err)
	}
	if err := json.Unmarshal(all["events"], &events); err != nil {
		return nil, fmt.Errorf("correlate: a dead letter's events: %w", err)
	}
	var left []json.RawMessage
	var last netip.Prefix
	for _, e := range events {
		var of struct {
			Source netip.Prefix `json:"source"`
		}
		if err := json.Unmarshal(e, &of); err != nil {
			return nil, fmt.Errorf("correlate: a dead letter's event: %w", err)
		}
		if of.Source.IsValid() && idOf(of.Source) == attacker {
			continue
		}
		left, last = append(left, e), of.Source
	}
	switch {
	case len(left) == 0:
		return nil, nil
	case len(left) == len(events):
		return raw, nil
	}
	var err error
	if all["source"], err = json.Marshal(last); err != nil {
		return nil, err
	}
	if all["events"], err = json.Marshal(left); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}
