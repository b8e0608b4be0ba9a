package esindex

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"dossier/correlate/commit"
)

// parseBulk reads an answer to three operations: create, replace, put.
func parseBulk(r io.Reader) ([]commit.Written, error) {
	ops := []commit.Op{{Kind: commit.Create}, {Kind: commit.Replace}, {Kind: commit.Put}}
	out := make([]commit.Written, len(ops))
	sc := new(scratch)
	sc.lexer.reset(r, maxReasonText)
	err := sc.bulkAnswer(ops, []int32{0, 1, 2}, out)
	return out, err
}

// parseRead reads an answer to three keys.
func parseRead(r io.Reader) ([]commit.Stored, error) {
	out := make([]commit.Stored, 3)
	sc := &scratch{at: []int32{0, 1, 2}}
	sc.lexer.reset(r, maxState)
	_, err := sc.readAnswer(out)
	return out, err
}

func isStream(err error) bool {
	_, ok := errors.AsType[*readError](err)
	return ok
}

const (
	bulkDone = `{"create":{"_seq_no":7,"_primary_term":2,"status":201}}`
	bulkMore = `{"index":{"status":200,"_primary_term":2,"_seq_no":9007199254740993}}`
)

func items(list ...string) string { return `{"items":[` + strings.Join(list, ",") + `]}` }

func TestItemsAreJudged(t *testing.T) {
	failed := func(status int, typ, reason string) string {
		b, _ := json.Marshal(map[string]any{"index": map[string]any{"status": status, "error": map[string]any{"type": typ, "reason": reason, "caused_by": map[string]any{"type": "x"}}}})
		return string(b)
	}
	for _, c := range []struct {
		item   string
		want   commit.Status
		reason string // part of it
	}{
		{`{"index":{"_seq_no":0,"_primary_term":1,"status":201}}`, commit.Done, ""},
		{` { "index" : { "x" : [ { } , null , true , false , -1.5e+3 , "\u0041\ud83d\ude00" ] , "_seq_no" : 0 , "_primary_term" : 1 , "status" : 200 } } `, commit.Done, ""},
		{failed(409, "version_conflict_engine_exception", "[1]: version conflict"), commit.Conflict, ""},
		{failed(400, "document_parsing_exception", "[1:2] failed to parse field [a.b] of type [ip] in document with id 'secret'. Preview of field's value: 'secret'"), commit.Rejected, "field a.b of type ip"},
		{failed(400, "mapper_parsing_exception", "secret"), commit.Rejected, "mapper_parsing_exception"},
		{failed(400, "strict_dynamic_mapping_exception", "dynamic introduction of [secret] within [_doc]"), commit.Rejected, "strict_dynamic"},
		{failed(400, "illegal_argument_exception", "secret"), commit.Rejected, "illegal_argument_exception"},
		{failed(400, "illegal_argument_exception", "number of documents in the index cannot exceed 2147483519"), commit.Unknown, "shard is full"},
		{failed(400, "illegal_argument_exception", "pipeline with id [x] does not exist"), commit.Unknown, "pipeline"},
		{failed(400, "validation_exception", "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;"), commit.Unknown, "cluster.max_shards_per_node"},
		{failed(400, "secret exception", "secret"), commit.Unknown, "HTTP 400"},
		{failed(429, "es_rejected_execution_exception", "rejected"), commit.Unknown, "overloaded"},
		{failed(429, "cluster_block_exception", "index [i] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"), commit.Unknown, "free disk"},
		{failed(403, "security_exception", "action [indices:data/write/bulk] is unauthorized"), commit.Unknown, "privilege"},
		{failed(401, "security_exception", "unable to authenticate"), commit.Unknown, "es_api_key"},
		{failed(404, "index_not_found_exception", "no such index [i]"), commit.Unknown, "dossier setup"},
		{failed(503, "unavailable_shards_exception", "[i][0] primary shard is not active"), commit.Unknown, "allocation/explain"},
		{failed(500, "secret_exception", "secret\nsecret"), commit.Unknown, "secret_exception"},
		{failed(413, "", ""), commit.Unknown, "http.max_content_length"},
		{failed(200, "odd_exception", "but 200"), commit.Unknown, "odd_exception"},
		{`{"index":{"status":200}}`, commit.Unknown, "HTTP 200"},
		{`{"index":{"_seq_no":3,"_primary_term":1,"status":200,"error":{"type":"odd_exception"}}}`, commit.Unknown, "odd_exception"},
		{`{"index":{"_seq_no":3,"_primary_term":1,"status":300}}`, commit.Unknown, "HTTP 300"},
		{`{"index":{"_seq_no":3,"_primary_term":1,"status":199}}`, commit.Unknown, "HTTP 199"},
		{`{"index":{"_seq_no":-1,"_primary_term":1,"status":200}}`, commit.Unknown, "HTTP 200"},
		{`{"index":{"_seq_no":3,"_primary_term":0,"status":200}}`, commit.Unknown, "HTTP 200"},
		{`{"index":{"status":503,"error":"a mere text"}}`, commit.Unknown, "HTTP 503"},
		{`{"index":{}}`, commit.Unknown, "HTTP 0"},
	} {
		out, err := parseBulk(strings.NewReader(items(bulkDone, bulkMore, c.item)))
		if err != nil {
			t.Errorf("%s: %v", c.item, err)
			continue
		}
		w := out[2]
		if w.Status != c.want || !strings.Contains(w.Reason, c.reason) || (w.Status == commit.Done) != (w.Version.PrimaryTerm != 0) {
			t.Errorf("%s: %+v", c.item, w)
		}
		if text := strings.ReplaceAll(w.Reason, "secret_exception", ""); strings.Contains(text, "secret") || strings.ContainsAny(text, "\n") {
			t.Errorf("%s: the reason tells too much: %q", c.item, w.Reason)
		}
		if out[1].Version.SeqNo != 9007199254740993 {
			t.Errorf("sequence number %d", out[1].Version.SeqNo)
		}
	}
}

func TestRepeatedReasonsAreSharedOnlyWhereEqual(t *testing.T) {
	out, err := parseBulk(strings.NewReader(items(
		`{"create":{"status":429,"error":{"type":"a_exception","reason":"x"}}}`,
		`{"index":{"status":503,"error":{"type":"a_exception","reason":"x"}}}`,
		`{"index":{"status":503,"error":{"type":"b_exception","reason":"x"}}}`)))
	if err != nil || out[0].Reason == out[1].Reason || out[1].Reason == out[2].Reason {
		t.Errorf("%+v, %v", out, err)
	}
}

// wrongBulk are answers that say nothing about the operations.
var wrongBulk = []string{
	``, `{}`, `[]`, `null`, `"items"`, `{"items":{}}`, `{"items":null}`, `{"items":[]}`, `{"took":1,"errors":true}`,
	items(bulkDone, bulkMore), items(bulkDone, bulkMore, bulkMore, bulkMore), items(bulkMore, bulkDone, bulkMore),
	items(bulkDone, bulkMore, bulkMore) + "x", items(bulkDone, bulkMore, bulkMore) + "{}",
	items(bulkDone, bulkMore, `{}`), items(bulkDone, bulkMore, `null`), items(bulkDone, bulkMore, `{"delete":{"status":200}}`),
	items(bulkDone, bulkMore, `{"index":{"status":"200"}}`), items(bulkDone, bulkMore, `{"index":{"status":2e2}}`),
	items(bulkDone, bulkMore, `{"index":{"_seq_no":99999999999999999999}}`),
	items(bulkDone, bulkMore, `{"index":{"status":200},"index":{"status":200}}`),
	`{"items":[],"items":[` + bulkDone + `]}`, `{"docs":[],"items":[` + strings.Join([]string{bulkDone, bulkMore, bulkMore}, ",") + `]}`,
	`{"error":"x","items":[` + strings.Join([]string{bulkDone, bulkMore, bulkMore}, ",") + `]}`,
	`<html><body>502</body></html>`, "\xff\xfe", `{"items"`, `{"items":[01]}`, `{"items":[+1]}`, `{"items":[tru]}`,
	items(bulkDone, bulkMore, `{"index":{"x":`+strings.Repeat("[", maxDepth+1)+strings.Repeat("]", maxDepth+1)+`}}`),
	items(bulkDone, bulkMore, "{\"index\":{\"x\":\"a\nb\"}}"), items(bulkDone, bulkMore, `{"index":{"x":"\x"}}`),
}

func TestAnswersThatSayNothing(t *testing.T) {
	for _, s := range wrongBulk {
		if out, err := parseBulk(strings.NewReader(s)); err == nil {
			t.Errorf("%.100s: %+v", s, out)
		} else if isStream(err) {
			t.Errorf("%.100s: taken for an error of the stream: %v", s, err)
		}
	}
	whole := items(bulkDone, bulkMore, `{"index":{"status":400,"error":{"type":"a\u0062\"c","reason":"\ud83d\ude00"}}}`)
	for cut := range whole {
		if _, err := parseBulk(strings.NewReader(whole[:cut])); !errors.Is(err, errTruncated) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	_, err := parseBulk(io.MultiReader(strings.NewReader(whole[:50]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !isStream(err) {
		t.Errorf("a connection that ends: %v", err)
	}
	_, err = parseBulk(io.MultiReader(strings.NewReader(whole), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !isStream(err) {
		t.Errorf("a connection that ends after the value: %v", err)
	}
}

func TestReadAnswers(t *testing.T) {
	state := bytes.Repeat([]byte("\x00state\xff"), 30_000)
	body := `{"docs":[
		{"_seq_no":5,"_primary_term":1,"found":true,"_source":{"other":[1],"state":"` + base64.StdEncoding.EncodeToString(state) + `"}},
		{"found":false},
		{"error":{"type":"index_not_found_exception","reason":"no such index"}}]}`
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(body), "byte by byte": iotest.OneByteReader(strings.NewReader(body)),
		"halves": iotest.HalfReader(strings.NewReader(body)), "end with data": iotest.DataErrReader(strings.NewReader(body)),
	} {
		out, err := parseRead(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !out[0].Exists || !bytes.Equal(out[0].State, state) || out[0].Version != (commit.Version{SeqNo: 5, PrimaryTerm: 1}) ||
			out[1].Exists || out[1].Err != nil || out[2].Exists || out[2].Err != nil {
			t.Errorf("%s: wrong", name)
		}
	}
	for _, s := range []string{
		`{}`, `{"docs":[]}`, `{"docs":[{},{},{}]}`, `{"docs":[{"found":false},{"found":false}]}`,
		`{"docs":[{"found":false},{"found":false},{"found":true}]}`, `{"docs":[{"found":false},{"found":false},{"found":1}]}`,
		`{"docs":[{"found":false},{"found":false},{"found":false},{"found":false}]}`,
		`{"docs":[{"found":false},{"found":false},{"found":true,"_seq_no":1,"_source":{"state":""}}]}`,
	} {
		if out, err := parseRead(strings.NewReader(s)); err == nil {
			t.Errorf("%s: %+v", s, out)
		}
	}
	out, err := parseRead(strings.NewReader(`{"docs":[{"_seq_no":1,"_primary_term":1,"found":true,"_source":{"state":"!"}},
		{"_seq_no":1,"_primary_term":1,"found":true,"_source":{"state":null}},{"error":{"type":"security_exception","reason":"no"}}]}`))
	if err != nil || out[0].Err == nil || out[1].Err == nil || out[2].Err == nil {
		t.Errorf("%+v, %v", out, err)
	}
}

// FuzzBulkAnswer: what is accepted is JSON, and means what encoding/json
// reads from it.
func FuzzBulkAnswer(f *testing.F) {
	f.Add([]byte(items(bulkDone, bulkMore, bulkMore)))
	f.Add([]byte(items(bulkDone, bulkMore, `{"index":{"status":400,"error":{"type":"document_parsing_exception","reason":"failed to parse field [a] of type [b]\u00e9","caused_by":{"x":[1,-0.5e-3,true,null]}}}}`)))
	f.Add([]byte(items(bulkDone, `{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"x"}}}`, `{"index":{"status":429,"error":"x"}}`)))
	for _, s := range wrongBulk {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := parseBulk(bytes.NewReader(data))
		slow, err2 := parseBulk(iotest.OneByteReader(bytes.NewReader(data)))
		if (err == nil) != (err2 == nil) || err == nil && fmt.Sprint(out) != fmt.Sprint(slow) {
			t.Fatalf("differs when it comes in pieces: %v, %v", err, err2)
		}
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("accepts what is not JSON")
		}
		for i, w := range out {
			if w.Status == commit.Done && (w.Version.SeqNo < 0 || w.Version.PrimaryTerm < 1) {
				t.Errorf("%d: %+v", i, w)
			}
			if strings.ContainsFunc(w.Reason, func(r rune) bool { return r < 0x20 || r > 0x7e }) || len(w.Reason) > 1000 {
				t.Errorf("%d: reason %q", i, w.Reason)
			}
		}
	})
}

// FuzzReadAnswer: as FuzzBulkAnswer.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"docs":[{"_seq_no":5,"_primary_term":1,"found":true,"_source":{"state":"AAECAw=="}},{"found":false},{"error":{"type":"index_not_found_exception","reason":"no such index"}}]}`))
	f.Add([]byte(`{"docs":[{"_seq_no":5,"_primary_term":1,"found":true,"_source":{"state":"\u0041A=="}},{"found":false,"x":{"y":[{}]}},{"error":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := parseRead(bytes.NewReader(data))
		slow, err2 := parseRead(iotest.OneByteReader(bytes.NewReader(data)))
		if (err == nil) != (err2 == nil) || err == nil && fmt.Sprint(out) != fmt.Sprint(slow) {
			t.Fatalf("differs when it comes in pieces: %v, %v", err, err2)
		}
		if err == nil && !json.Valid(data) {
			t.Fatal("accepts what is not JSON")
		}
	})
}

// FuzzLexer: a value is skipped exactly where encoding/json finds it valid,
// but for its nesting.
func FuzzLexer(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e10,"\u00e9\\",true,false,null,{}]}`, ` [ ] `, `0`, `-0`, `01`, `1.`, `"\ud800"`, `{"a":1,}`, `[1 2]`, "\"\x7f\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var l lexer
		l.reset(io.MultiReader(bytes.NewReader(data), strings.NewReader("\n")), 1<<20)
		err := l.skip()
		if err == nil {
			err = l.finish()
		}
		if valid := json.Valid(data); valid != (err == nil) && !strings.Contains(fmt.Sprint(err), "nested") {
			t.Errorf("%v, but valid is %v", err, valid)
		}
	})
}

func bulkOps(n int) ([]commit.Op, []int32) {
	body := []byte(`{"state":"` + strings.Repeat("QUJD", 225) + `","name":"` + strings.Repeat("x", 600) + `"}`)
	ops, at := make([]commit.Op, n), make([]int32, n)
	for i := range ops {
		at[i] = int32(i)
		ops[i] = commit.Op{
			Kind: commit.Replace, Key: commit.Key{Index: "dossier-attackers", ID: fmt.Sprintf("198.51.100.%d", i)},
			Version: commit.Version{SeqNo: int64(1000 + i), PrimaryTerm: 3}, Body: body,
		}
	}
	return ops, at
}

// BenchmarkBulkBody builds the request of 5,000 documents of 1.5 KB.
func BenchmarkBulkBody(b *testing.B) {
	ops, at := bulkOps(5000)
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = body[:0]
		for _, i := range at {
			body = appendOp(body, &ops[i], true)
		}
	}
	b.SetBytes(int64(len(body)))
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkBulkAnswer reads the answer to 5,000 operations, of which some
// were in conflict.
func BenchmarkBulkAnswer(b *testing.B) {
	ops, at := bulkOps(5000)
	var list []string
	for i := range ops {
		list = append(list, fmt.Sprintf(`{"index":{"_seq_no":%d,"_primary_term":3,"status":200}}`, 100_000+i))
		if i%50 == 0 {
			list[i] = `{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[198.51.100.7]: version conflict, required seqNo [12], primary term [3]. current document has seqNo [13] and primary term [3]"}}}`
		}
	}
	answer := items(list...)
	out := make([]commit.Written, len(ops))
	sc := new(scratch)
	r := new(strings.Reader)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(answer)
		sc.lexer.reset(r, maxReasonText)
		if err := sc.bulkAnswer(ops, at, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkReadAnswer reads 5,000 states of 900 bytes. The one allocation for
// each is the state itself.
func BenchmarkReadAnswer(b *testing.B) {
	var list []string
	for i := range 5000 {
		list = append(list, fmt.Sprintf(`{"_seq_no":%d,"_primary_term":3,"found":true,"_source":{"state":"%s"}}`, i, strings.Repeat("QUJD", 300)))
	}
	answer := `{"docs":[` + strings.Join(list, ",") + `]}`
	out := make([]commit.Stored, 5000)
	sc := new(scratch)
	for i := range int32(5000) {
		sc.at = append(sc.at, i)
	}
	r := new(strings.Reader)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(answer)
		sc.lexer.reset(r, maxState)
		if _, err := sc.readAnswer(out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "docs/s")
}

// TestFixNamesTheKindOfPrivilege: no index is at fault where a privilege on
// the cluster is missing.
func TestFixNamesTheKindOfPrivilege(t *testing.T) {
	for reason, want := range map[string]string{
		"this action is granted by the cluster privileges [manage_index_templates,all]": "give the role or API key that cluster privilege, or use credentials that have it",
		"this action is granted by the index privileges [read,all]":                     "give the role or API key that privilege on these indices",
	} {
		if got := fix(http.StatusForbidden, "security_exception", reason); got != want {
			t.Errorf("%s: %q", reason, got)
		}
	}
}
