// Package frozen reads what earlier commits left in Elasticsearch and in
// their dead letters, as testbed/data/schema-N has it, and brings it into a
// real node: what a later version must be able to go on from.
package frozen

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dossier/testbed/esnode"
)

// Document is one document as it was written.
type Document struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`

	prefix string
}

// State returns the document's state, nil where it has none.
func (d *Document) State(t testing.TB) []byte {
	t.Helper()
	var doc struct {
		State []byte `json:"state"`
	}
	if err := json.Unmarshal(d.Source, &doc); err != nil {
		t.Fatalf("%s/%s: %v", d.Index, d.ID, err)
	}
	return doc.State
}

// Kind returns what the document is: "attackers", "smtp-targets", "activity",
// "transitions", "sensors" or "chunks".
func (d *Document) Kind() string {
	kind := strings.TrimPrefix(d.Index, d.prefix+"-")
	for _, monthly := range []string{"activity", "transitions", "chunks"} {
		if strings.HasPrefix(kind, monthly+"-") {
			return monthly
		}
	}
	return kind
}

// Snapshot is one index prefix as one commit left it.
type Snapshot struct {
	Prefix    string
	Documents []Document

	// Letters are the lines of its dead letters.
	Letters [][]byte

	indexTemplates     []object
	componentTemplates []object
	indices            map[string]map[string]json.RawMessage
	roles              map[string]map[string]json.RawMessage
}

// object is a named object of Elasticsearch's.
type object struct {
	Name      string          `json:"name"`
	Index     json.RawMessage `json:"index_template"`
	Component json.RawMessage `json:"component_template"`
}

func (o object) body() json.RawMessage {
	if o.Index != nil {
		return o.Index
	}
	return o.Component
}

// Read returns what schema N left of an index prefix: of schema 1 "dossier",
// and "dossier6" with ipv6_prefix 64. With as, it is as if the prefix had been
// that: names, and the names in the exceptions of markers, are changed.
func Read(t testing.TB, schema int, prefix, as string) *Snapshot {
	t.Helper()
	dir := folder(schema)
	s := &Snapshot{Prefix: as}
	renamed := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`"`+prefix+`-`), []byte(`"`+as+`-`)) }
	load := func(name string, to any) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(renamed(b), to)
		}
		if err != nil {
			t.Fatalf("frozen: %s: %v", name, err)
		}
	}
	load("index-templates.json", &s.indexTemplates)
	load("component-templates.json", &s.componentTemplates)
	load("indices.json", &s.indices)
	load("roles.json", &s.roles)
	foreign := func(name string) bool { return !strings.HasPrefix(name, as+"-") }
	s.indexTemplates = slices.DeleteFunc(s.indexTemplates, func(o object) bool { return foreign(o.Name) })
	s.componentTemplates = slices.DeleteFunc(s.componentTemplates, func(o object) bool { return foreign(o.Name) })
	maps.DeleteFunc(s.indices, func(name string, _ map[string]json.RawMessage) bool { return foreign(name) })
	maps.DeleteFunc(s.roles, func(name string, _ map[string]json.RawMessage) bool { return foreign(name) })

	names := map[string]string{} // of documents in exceptions
	rename := func(index, id string) string {
		now := as + strings.TrimPrefix(index, prefix)
		names[exception(index, id)] = exception(now, id)
		return now
	}
	for _, line := range lines(t, filepath.Join(dir, "documents.jsonl.gz")) {
		var d Document
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatalf("frozen: %v", err)
		}
		if strings.HasPrefix(d.Index, prefix+"-") {
			d.Index, d.prefix = rename(d.Index, d.ID), as
			s.Documents = append(s.Documents, d)
		}
	}
	for _, line := range lines(t, filepath.Join(dir, "dead-letters.jsonl.gz")) {
		var l struct{ Index, ID string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("frozen: %v", err)
		}
		if l.Index == "" || strings.HasPrefix(l.Index, prefix+"-") {
			if l.Index != "" {
				rename(l.Index, l.ID)
			}
			s.Letters = append(s.Letters, renamed(line))
		}
	}
	if as != prefix {
		for i := range s.Documents {
			if s.Documents[i].Kind() == "chunks" {
				renameExceptions(t, &s.Documents[i], names)
			}
		}
	}
	if len(s.Documents) == 0 || len(s.indices) == 0 {
		t.Fatalf("frozen: schema %d has nothing of the prefix %s", schema, prefix)
	}
	return s
}

func folder(schema int) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "data", fmt.Sprint("schema-", schema))
}

func lines(t testing.TB, path string) [][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

// exception is the name of a document in the exceptions of schema 1's markers:
// the FNV-1a hash of index, NUL, id.
func exception(index, id string) string {
	h := fnv.New64a()
	io.WriteString(h, index+"\x00"+id)
	return string(binary.BigEndian.AppendUint64(nil, h.Sum64()))
}

func renameExceptions(t testing.TB, d *Document, names map[string]string) {
	t.Helper()
	was := string(d.State(t))
	if was == "" || len(was)%8 != 0 {
		return
	}
	now := ""
	for rest := was; rest != ""; rest = rest[8:] {
		name, known := names[rest[:8]]
		if !known {
			t.Fatalf("frozen: marker %s excepts a document that is neither there nor in a letter", d.ID)
		}
		now += name
	}
	b64 := base64.StdEncoding.EncodeToString
	d.Source = bytes.Replace(d.Source, []byte(b64([]byte(was))), []byte(b64([]byte(now))), 1)
}

// Load brings everything into the node: component and index templates, the
// indices with the mappings, settings and aliases they had, all documents,
// and the roles where the node has security.
func (s *Snapshot) Load(t testing.TB, node *esnode.Node) {
	t.Helper()
	for _, o := range s.componentTemplates {
		node.Must(t, "PUT", "/_component_template/"+o.Name, o.body())
	}
	for _, o := range s.indexTemplates {
		node.Must(t, "PUT", "/_index_template/"+o.Name, o.body())
	}
	for _, name := range slices.Sorted(maps.Keys(s.indices)) {
		node.Must(t, "PUT", "/"+name, s.indices[name])
	}
	for part := range slices.Chunk(s.Documents, 500) {
		var bulk bytes.Buffer
		for _, d := range part {
			fmt.Fprintf(&bulk, "{\"create\":{\"_index\":%q,\"_id\":%q}}\n%s\n", d.Index, d.ID, d.Source)
		}
		if answer := node.Must(t, "POST", "/_bulk", bulk.Bytes()); answer["errors"] != false {
			t.Fatalf("frozen: the node does not take the documents: %.2000v", answer)
		}
	}
	node.Must(t, "POST", "/"+s.Prefix+"-*/_refresh", nil)
	if node.User == "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		role := maps.Clone(s.roles[name])
		delete(role, "transient_metadata")
		node.Must(t, "PUT", "/_security/role/"+name, role)
	}
}

// Letter is a dead letter for one document.
type Letter struct {
	Kind, ID string
	Events   int
}

// Contributions returns the letters that are one chunk's part in a document;
// the others are bytes that could not be read.
func (s *Snapshot) Contributions() []Letter {
	var out []Letter
	for _, line := range s.Letters {
		var l struct {
			Index, ID string
			Events    struct{ Events []json.RawMessage }
		}
		if json.Unmarshal(line, &l) == nil && l.Index != "" {
			d := Document{Index: l.Index, prefix: s.Prefix}
			out = append(out, Letter{Kind: d.Kind(), ID: l.ID, Events: len(l.Events.Events)})
		}
	}
	return out
}

// WriteLetters writes the dead letters into a new file in the folder, as they
// stood there.
func (s *Snapshot) WriteLetters(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "20261127T000000.000Z-*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range s.Letters {
		if _, err := f.Write(append(l, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Component returns what a component template set: settings, mappings, aliases.
func (s *Snapshot) Component(t testing.TB, name string) map[string]any {
	t.Helper()
	for _, o := range s.componentTemplates {
		if o.Name != name {
			continue
		}
		var body struct{ Template map[string]any }
		if err := json.Unmarshal(o.Component, &body); err != nil {
			t.Fatal(err)
		}
		return body.Template
	}
	t.Fatalf("frozen: no component template %s", name)
	return nil
}
