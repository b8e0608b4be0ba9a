package sensors

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dossier/esindex/deadletter"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"

	"github.com/vmihailenco/msgpack/v5"
)

// marks puts in place of what must stay hidden a text that nothing else has.
type marks struct {
	n    int
	seen map[string]bool // all marks
}

const markStart = "zq7x"

func (m *marks) next() string {
	m.n++
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	mark := fmt.Sprintf("%s%dk", markStart, m.n)
	m.seen[mark] = true
	return mark
}

var (
	mailAddress = regexp.MustCompile(`([A-Za-z0-9._%+-]+)@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}|localhost)`)
	// algorithms of SSH have the form of mail addresses.
	algorithm = regexp.MustCompile(`@(openssh|libssh|ssh|lysator\.liu)\.(com|org|se)$`)
)

// mail marks the local part of every mail address.
func (m *marks) mail(_, line string) string {
	return mailAddress.ReplaceAllStringFunc(line, func(address string) string {
		if algorithm.MatchString(address) {
			return address
		}
		_, domain, _ := strings.Cut(address, "@")
		return m.next() + "@" + domain
	})
}

var (
	printable = regexp.MustCompile(`secret_printable="((?:[^"\\]|\\.)*)"`)
	encoded   = regexp.MustCompile(`secret_b64="[^"]*"`)
	redisAuth = regexp.MustCompile(`(cmd="AUTH" args="\[').*?('\\\]")`)
)

// secrets marks every secret that the sensor says is one.
func (m *marks) secrets(_, line string) string {
	if line == "" || line[0] != '{' {
		if !printable.MatchString(line) && !redisAuth.MatchString(line) {
			return line
		}
		mark := m.next()
		line = printable.ReplaceAllString(line, `secret_printable="`+mark+`"`)
		line = encoded.ReplaceAllString(line, `secret_b64="`+base64.StdEncoding.EncodeToString([]byte(mark))+`"`)
		return redisAuth.ReplaceAllString(line, "${1}"+mark+"${2}")
	}
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	var doc map[string]any
	if dec.Decode(&doc) != nil {
		return line
	}
	m.object(doc)
	b, err := json.Marshal(doc)
	if err != nil {
		return line
	}
	return string(b)
}

// secretKeys are the names under which the sensors keep secrets.
var secretKeys = []string{"password", "Password", "PASSWORD", "VNC Password", "VNC Client Response", "COMMUNITY_STRING", "community", "response"}

func (m *marks) object(o map[string]any) {
	for k, v := range o {
		switch v := v.(type) {
		case string:
			if slices.Contains(secretKeys, k) && v != "" {
				o[k] = m.next()
			}
		case map[string]any:
			m.object(v)
		case []any:
			for i, e := range v {
				if inner, ok := e.(map[string]any); ok {
					m.object(inner)
				} else if slices.Contains(secretKeys, k) && e != nil {
					v[i] = m.next()
				}
			}
		}
	}
	switch {
	case o["CMD"] == "AUTH":
		o["ARGS"] = m.next()
	case o["command"] == "PASS" && o["command_data"] != nil:
		o["command_data"] = m.next()
	case o["command"] == "PASS" && o["arguments"] != nil:
		o["arguments"] = []any{m.next()}
	}
}

// Local parts of mail addresses are nowhere: not in a document of any index,
// not in a state, not in a line of the log at its most talkative, not in a
// dead letter.
func TestLocalPartsAreNowhere(t *testing.T) {
	node := esnode.Shared(t)
	for _, s := range all {
		switch s.config {
		case "decnet", "cowrie", "suricata":
		default:
			continue // what others have are user names
		}
		t.Run(s.config, func(t *testing.T) {
			var m marks
			more := map[string]string{"log_level": "trace"}
			outputs := documents(t, s, node, more, m.mail)
			maps.Copy(outputs, deadLetters(t, s, node, more, m.mail))
			if m.n < 3 {
				t.Fatalf("%d addresses marked", m.n)
			}
			if all := fmt.Sprint(slices.Collect(maps.Keys(outputs))); s.config == "decnet" && !strings.Contains(all, "-smtp-targets-000001/") {
				t.Error("no mail target came of it")
			}
			for place, text := range outputs {
				if i := strings.Index(text, markStart); i >= 0 {
					t.Errorf("%s: a local part: …%s…", place, text[max(0, i-200):min(len(text), i+100)])
				}
			}
			t.Logf("%d addresses, %d outputs", m.n, len(outputs))
		})
	}
}

// Nor are they in what is saved because nobody could read it: records of no
// known form, and a chunk that breaks off.
func TestLocalPartsAreNotInRawLetters(t *testing.T) {
	var m marks
	var lines []string
	for _, line := range e2e.Lines(t, e2e.Data("decnet", "raw_2k.log")) {
		if marked := m.mail("", line); marked != line {
			lines = append(lines, "? "+marked) // no form that anybody knows
		}
	}
	lines = append(lines, `{"to":"`+m.next()+`\u0040example.org"}`, "to="+m.next()+"%40example.org", `<"`+m.next()+` x"@example.org>`)
	data := chunktest.Lines(recordTime, "log", lines...)
	data = append(data, data[:len(data)-3]...) // the last record is cut
	p := e2e.Properties(t, esnode.Shared(t).URL, e2e.Prefix(t), map[string]string{"unparsed_dead_letters": "on", "log_level": "trace"})
	h := e2e.StartHost(t, host.Options{Workers: 1, Properties: p})
	e2e.Deliver(t, h, []e2e.Chunk{{Tag: "x", Data: data}}, 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	outputs := h.Log()
	size := 0
	if _, err := deadletter.Read(p["dead_letter_path"], func(l deadletter.Letter) error {
		outputs = append(outputs, string(l.Data))
		size += len(l.Data)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if m.n < 3 || size < len(data)-100 {
		t.Fatalf("%d addresses marked, %d of %d bytes in letters", m.n, size, len(data))
	}
	for _, text := range outputs {
		if i := strings.Index(text, markStart); i >= 0 {
			t.Errorf("a local part: …%q…", text[max(0, i-100):min(len(text), i+100)])
		}
	}
}

// With store_secrets none, secrets are nowhere. Their digests stay in the
// states, which must count them, and in dead letters, which must not change
// what is counted; they are in no field.
func TestSecretsAreNowhere(t *testing.T) {
	node := esnode.Shared(t)
	for _, s := range all {
		t.Run(s.config, func(t *testing.T) {
			var m marks
			more := map[string]string{"log_level": "trace", "store_secrets": "none"}
			outputs := documents(t, s, node, more, m.secrets)
			switch s.config {
			case "decnet", "opencanary":
				maps.Copy(outputs, deadLetters(t, s, node, more, m.secrets))
			}
			digests := map[string]bool{}
			for mark := range m.seen {
				sum := sha256.Sum256([]byte(mark))
				digests[hex.EncodeToString(sum[:])] = true
			}
			hexes := regexp.MustCompile(`[0-9a-f]{64}`)
			for place, text := range outputs {
				if i := strings.Index(text, markStart); i >= 0 {
					t.Errorf("%s: a secret: …%s…", place, text[max(0, i-200):min(len(text), i+100)])
				}
				if strings.HasPrefix(place, "dead letter") {
					continue
				}
				for _, h := range hexes.FindAllString(text, -1) {
					if digests[h] {
						t.Errorf("%s: the digest of a secret", place)
						break
					}
				}
			}
			t.Logf("%d secrets, %d outputs", m.n, len(outputs))
		})
	}
}

// documents runs a sensor's edited data. It returns every text that came of it
// by its place: documents, states unpacked, log lines.
func documents(t *testing.T, s sensor, node *esnode.Node, more map[string]string, edit func(file, line string) string) map[string]string {
	t.Helper()
	out := map[string]string{}
	prefix := e2e.Prefix(t)
	h := deliver(t, s, properties(t, s, node, prefix, more), edit)
	for name := range node.Must(t, "GET", "/"+prefix+"-*/_mapping", nil) {
		for id, doc := range e2e.Documents(t, node, name) {
			if encoded, ok := doc["state"].(string); ok {
				out[name+"/"+id+" state"] = payload(t, encoded)
				delete(doc, "state")
			}
			text, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			out[name+"/"+id] = string(text)
		}
	}
	if len(out) < s.attackers {
		t.Fatalf("%d documents and states for %d attackers", len(out), s.attackers)
	}
	for i, line := range h.Log() {
		out[fmt.Sprint("log line ", i)] = line
	}
	return out
}

// deadLetters runs a sensor's edited data into indices that take no attacker
// and no mail target. It returns the dead letters and the log lines of it.
func deadLetters(t *testing.T, s sensor, node *esnode.Node, more map[string]string, edit func(file, line string) string) map[string]string {
	t.Helper()
	out := map[string]string{}
	prefix := e2e.Prefix(t)
	p := properties(t, s, node, prefix, more)
	poison(t, node, prefix, p)
	h := deliver(t, s, p, edit)
	err := filepath.WalkDir(p["dead_letter_path"], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for i, line := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(line, "{") {
				out[fmt.Sprintf("dead letter %s:%d", d.Name(), i+1)] = line
			}
		}
		return err
	})
	if err != nil || len(out) < s.attackers {
		t.Fatalf("%d dead letters for %d attackers, %v", len(out), s.attackers, err)
	}
	for i, line := range h.Log() {
		out[fmt.Sprint("log line ", i, " of dead letters")] = line
	}
	return out
}

// poison makes the indices of the prefix refuse every attacker and every mail
// target.
func poison(t *testing.T, node *esnode.Node, prefix string, properties map[string]string) {
	t.Helper()
	h := e2e.StartHost(t, host.Options{Workers: 1, Properties: properties})
	// One event makes the plugin install its templates and use them.
	seed := `<134>1 2026-01-01T00:00:00.000000+00:00 decky-01 smtp - rcpt_to [relay@55555 src="203.0.113.1" value="<nobody@example.org>"]`
	e2e.Deliver(t, h, []e2e.Chunk{{Tag: "seed", Data: chunktest.Lines(recordTime, "log", seed)}}, 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for index, field := range map[string]string{"-attackers": "sensors", "-smtp-targets": "sensors"} {
		for name, m := range node.Must(t, "GET", "/"+prefix+index+"/_mapping", nil) {
			mapping := m.(map[string]any)["mappings"].(map[string]any)
			mapping["properties"].(map[string]any)[field] = map[string]any{"type": "ip"}
			node.Must(t, "DELETE", "/"+name, nil)
			node.Must(t, "PUT", "/"+name, map[string]any{"mappings": mapping, "aliases": map[string]any{prefix + index: struct{}{}}})
		}
	}
}

// payload returns what a state holds, unpacked.
func payload(t *testing.T, encoded string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var envelope []any
	if err := msgpack.Unmarshal(b, &envelope); err != nil {
		return string(b) // a marker of the ledger
	}
	const packing, content = 3, 4
	if len(envelope) <= content {
		t.Fatalf("a state of %d elements", len(envelope))
	}
	inner, ok := envelope[content].([]byte)
	if !ok {
		t.Fatalf("a state's payload is %T", envelope[content])
	}
	if fmt.Sprint(envelope[packing]) == "0" {
		return string(inner)
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(inner)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
