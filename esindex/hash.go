package esindex

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// hashOf names what a component template sets: fields with their parameters,
// aliases, and settings but for the choices, which are the operator's to
// change. It is taken of the form in which differences are told, so that what
// Elasticsearch writes otherwise ("5s" for "5000ms") is the same.
func hashOf(s settings, mappings, aliases json.RawMessage) string {
	set := map[string]string{}
	for name := range s {
		if !isChoice(name) {
			set[name] = s.show(name)
		}
	}
	var names any
	json.Unmarshal(aliases, &names) // without aliases there is nothing to read
	b, err := json.Marshal([]any{set, fieldsOf(mappings), names})
	if err != nil {
		panic(err) // strings, and what was decoded
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// hashIn returns the hash in a template's _meta, "" where a version from
// before there was one wrote it.
func hashIn(raw json.RawMessage) string {
	var outer map[string]json.RawMessage
	var inner struct {
		Hash string `json:"hash"`
	}
	if json.Unmarshal(raw, &outer) != nil || json.Unmarshal(outer[metaKey], &inner) != nil {
		return ""
	}
	return oneLine(inner.Hash)
}

// isEdited says whether somebody else changed the component template since
// Dossier wrote it.
func (in *installed) isEdited() bool {
	hash := hashIn(in.pack["_meta"])
	return hash != "" && hash != hashOf(in.settings, in.mappings, in.aliases)
}
