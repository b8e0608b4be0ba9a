package analyst

import (
	"encoding/json"
	"time"
)

// At has the reader take a time for now.
func (r *Reader) At(now time.Time) { r.now = func() time.Time { return now } }

// Decode reads a document, as a Reader does.
func Decode(id string, source []byte) (*Profile, error) { return decode(id, json.RawMessage(source)) }
