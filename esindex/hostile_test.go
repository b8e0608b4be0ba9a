package esindex

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"dossier/correlate/commit"
)

// TestOneSpoiltStateSpoilsNoOther: whoever can write one document can't keep
// the others of an answer from being read, whatever he puts in the place of its
// state.
func TestOneSpoiltStateSpoilsNoOther(t *testing.T) {
	const good = `{"_seq_no":5,"_primary_term":1,"found":true,"_source":{"state":"AAECAw=="}}`
	for name, state := range map[string]string{
		"no base64":        `"!"`,
		"a number":         `1e5`,
		"null":             `null`,
		"an object":        `{"a":{"b":[]}}`,
		"nested deep":      strings.Repeat("[", 999) + strings.Repeat("]", 999),
		"nested objects":   strings.Repeat(`{"a":`, 999) + `1` + strings.Repeat("}", 999),
		"too long":         `"` + strings.Repeat("A", 5*lexerBuffer) + `"`,
		"long and escaped": `"` + strings.Repeat(`\u0041\\`, lexerBuffer) + `"`,
		"long in a list":   `["` + strings.Repeat(`A`, 5*lexerBuffer) + `"]`,
	} {
		t.Run(name, func(t *testing.T) {
			answer := fmt.Sprintf(`{"docs":[%s,{"_seq_no":6,"_primary_term":1,"found":true,"_source":{"state":%s}},%s]}`, good, state, good)
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(answer), "byte by byte": iotest.OneByteReader(strings.NewReader(answer))} {
				sc := &scratch{at: []int32{0, 1, 2}}
				sc.lexer.reset(r, 2*lexerBuffer)
				out := make([]commit.Stored, 3)
				if _, err := sc.readAnswer(out); err != nil {
					t.Fatalf("%s: the whole answer is lost: %v", how, err)
				}
				for _, i := range []int{0, 2} {
					if !out[i].Exists || string(out[i].State) != "\x00\x01\x02\x03" {
						t.Errorf("%s: document %d is %+v", how, i, out[i])
					}
				}
				if !errors.Is(out[1].Err, commit.ErrCorrupt) {
					t.Errorf("%s: the spoilt one is %v", how, out[1].Err)
				}
			}
		})
	}
}
