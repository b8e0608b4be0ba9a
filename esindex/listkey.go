package esindex

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// ListKeySize is the length of a list key in bytes.
const ListKeySize = 16

// A list key is random and fixed for the life of its index: it is the
// null_value of a field that no document has. Elasticsearch refuses to change
// that parameter of a field that is there, so of two that set it at once one
// wins and both read the same, and nobody replaces it later, neither by
// mistake nor by an older version's set-up. _meta would be replaced whole by
// whoever writes it last.
//
// Reading it takes the index privilege view_index_metadata, setting it the
// right to change mappings; searches and field capabilities don't show it.

// ListKey returns the list key that one of the templates asks for. ErrMissing
// says that its index isn't there, ErrNoListKey that the index has none.
func (c *Client) ListKey(ctx context.Context, templates []Template) (key [ListKeySize]byte, err error) {
	for _, t := range templates {
		if t.ListKey == "" {
			continue
		}
		k, err := newKind(t)
		if err != nil {
			return key, err
		}
		return c.readListKey(ctx, k)
	}
	return key, errors.New("esindex: no template has a list key")
}

func (c *Client) readListKey(ctx context.Context, k *kind) (key [ListKeySize]byte, err error) {
	op := "read the list key of " + k.Pattern
	found, err := c.lookAt(ctx, k, "mapping")
	switch {
	case err != nil:
		return key, err
	case len(found) == 0:
		return key, &Error{Op: op, Reason: "the index is missing", Fix: missingFix(k.Pattern), cause: ErrMissing}
	case len(found) > 1:
		return key, &Error{
			Op: op, Reason: fmt.Sprintf("the name stands for %d indices", len(found)),
			Fix: "leave one index behind the alias: a document's id is unique within one index only",
		}
	}
	for _, parts := range found {
		var mapping struct {
			Properties map[string]struct {
				Key string `json:"null_value"`
			} `json:"properties"`
		}
		json.Unmarshal(parts["mappings"], &mapping) // what is no mapping has no key
		field, ok := mapping.Properties[k.ListKey]
		if !ok {
			return key, &Error{
				Op: op, Reason: "the index was made before there were list keys, and has none",
				Fix: "run dossier setup with credentials that may change mappings (the role setup)", cause: ErrNoListKey,
			}
		}
		// The error must not show what it read.
		if n, err := hex.Decode(key[:], []byte(field.Key[:min(len(field.Key), 2*ListKeySize)])); err != nil || n != ListKeySize || len(field.Key) != 2*ListKeySize {
			return key, &Error{
				Op: op, Reason: "the field " + k.ListKey + " of its mapping holds no list key: somebody else made it",
				Fix: "reindex into an index without that field, then run dossier setup", cause: ErrForeign,
			}
		}
	}
	return key, nil
}

// listKeyPause and listKeyTries bound how long another set-up's list key is
// waited for.
const (
	listKeyPause = 100 * time.Millisecond
	listKeyTries = 20
)

// awaitListKey waits until a list key can be read. The master refuses a second
// one as soon as it has accepted the first, which the node that is asked for the
// mapping may learn a moment later.
func (c *Client) awaitListKey(ctx context.Context, k *kind) (err error) {
	for range listKeyTries {
		if _, err = c.readListKey(ctx, k); !errors.Is(err, ErrNoListKey) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(listKeyPause):
		}
	}
	return err
}

// newListKey returns a field that holds a new list key.
func newListKey() map[string]any {
	var key [ListKeySize]byte
	rand.Read(key[:]) // never fails
	return map[string]any{"type": "keyword", "index": false, "doc_values": false, "null_value": hex.EncodeToString(key[:])}
}

// setListKey has the kind's index hold a list key, and leaves the one that is
// there.
func (c *Client) setListKey(ctx context.Context, k *kind) (Step, error) {
	step := Step{"list key", k.Pattern, "kept"}
	_, err := c.readListKey(ctx, k)
	if c.looks && errors.Is(err, ErrMissing) { // its index wasn't made either
		err = ErrNoListKey
	}
	if !errors.Is(err, ErrNoListKey) {
		return step, err
	}
	body, err := json.Marshal(map[string]any{"properties": map[string]any{k.ListKey: newListKey()}})
	if err != nil {
		return step, err
	}
	step.Done = "created"
	err = c.call(ctx, "set the list key of "+k.Pattern, esapi.IndicesPutMappingRequest{Index: []string{k.Pattern}, Body: &payload{body}}, nil)
	if hasStatus(err, http.StatusBadRequest) {
		// Somebody else was faster: theirs counts, if it is one. What
		// Elasticsearch says of it shows both keys.
		step.Done = "kept, another set-up made it"
		if err = c.awaitListKey(ctx, k); errors.Is(err, ErrNoListKey) {
			err = &Error{
				Op: "set the list key of " + k.Pattern, Status: http.StatusBadRequest, Reason: "Elasticsearch refuses the field " + k.ListKey,
				Fix: "see whether the mapping has as many fields as index.mapping.total_fields.limit allows",
			}
		}
	}
	return step, err
}
