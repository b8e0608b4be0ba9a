package esindex

import (
	"fmt"
	"strconv"
	"strings"
)

// The index of one name that is Template.Numbered stands behind an alias of
// that name: <name>-000001 at first. A larger one takes the next number and
// the name in one step, and nobody who reads or writes by the name has to
// know. An index that has the name itself, as all had once, is number 0.
//
// A document's sequence number is a token of its index. So an index may take
// another's place only where it has the same documents under the same numbers,
// as those have that _clone and _split make and those of _reindex have not.

// maxNumber is the largest number of an index: those that the templates'
// pattern <name>-0* takes in.
const maxNumber = 99999

// NumberedIndex returns the name of the n-th index behind a name.
func NumberedIndex(name string, n int) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s-%06d", name, n)
}

// NumberOf returns which of the indices behind a name an index is, and false
// where it is none of them.
func NumberOf(name, index string) (n int, ok bool) {
	if index == name {
		return 0, true
	}
	digits, ok := strings.CutPrefix(index, name+"-")
	if n, err := strconv.Atoi(digits); ok && err == nil && n >= 1 && n <= maxNumber && NumberedIndex(name, n) == index {
		return n, true
	}
	return 0, false
}

// patterns are those of the kind's index template.
func (k *kind) patterns() []string {
	if k.Numbered {
		return []string{k.Pattern, k.Pattern + "-0*"}
	}
	return []string{k.Pattern}
}

// firstIndex is the index that is made where the kind has none.
func (k *kind) firstIndex() string {
	if k.Numbered {
		return NumberedIndex(k.Pattern, 1)
	}
	return k.Pattern
}
