package event

import "bytes"

// The bounds of what is read of one record or document, whatever it is written
// in. What lies beyond is left out.
const (
	// MaxFields is the number of fields.
	MaxFields = 512
	// MaxDepth is how many maps and arrays may be inside each other, the
	// outermost one included.
	MaxDepth = 8
	// MaxKey is the length of a field's name in bytes, dots included.
	MaxKey = 256
	// maxJoined is what the names that have to be put together may take in
	// bytes, maxJoinedPerByte what they may for each byte that was read:
	// somebody can write a name once and have it put together with every
	// element of an array.
	maxJoined        = 16 << 10
	maxJoinedPerByte = 4
)

// Within says whether an object or array named key, below path, is read that
// is inside depth others: OpenTelemetry's lists of keys take four for each that is
// meant.
func Within(path []byte, key string, depth int) bool {
	if depth < MaxDepth {
		return true
	}
	return depth < 3*MaxDepth && (IsKeyValueList(key) || bytes.Contains(path, kvlist))
}

var kvlist = []byte("kvlist")

// IsKeyValueList says whether a name is that under which OpenTelemetry's JSON has
// an object's members.
func IsKeyValueList(key string) bool { return key == "kvlistValue" || key == "kvlist_value" }

// Joined counts the bytes of the names of one record that had to be put
// together. The zero value has none.
type Joined struct{ bytes int }

// Take says whether a name of n bytes may be put together where read bytes of
// the record were read so far, and counts it if so.
func (j *Joined) Take(n, read int) bool {
	if n > MaxKey || j.bytes+n > min(maxJoined, maxJoinedPerByte*read) {
		return false
	}
	j.bytes += n
	return true
}
