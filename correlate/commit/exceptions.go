package commit

import (
	"encoding/binary"
	"hash/fnv"
	"strings"
)

// exceptions names the documents for which a chunk was dead-lettered, as its
// marker keeps them: nameSize bytes each. What isn't such a list, as one that is
// cut off, excepts every document.
type exceptions string

const (
	exceptAll exceptions = "*"
	// maxExcept bounds the exceptions in a marker; beyond, it excepts all.
	maxExcept = 64
	nameSize  = 8
)

// exception returns the exceptions that hold one document, by the FNV-1a hash of
// its index and id. Two documents of one name cost an id that stays.
func exception(k Key) exceptions {
	h := fnv.New64a()
	h.Write([]byte(k.Index))
	h.Write([]byte{0})
	h.Write([]byte(k.ID))
	return exceptions(binary.BigEndian.AppendUint64(nil, h.Sum64()))
}

// all says whether every document is excepted.
func (e exceptions) all() bool { return len(e)%nameSize != 0 }

// has says whether the document is excepted.
func (e exceptions) has(k Key) bool {
	return e != "" && (e.all() || e.hasName(exception(k)))
}

func (e exceptions) hasName(name exceptions) bool {
	for ; e != ""; e = e[nameSize:] {
		if strings.HasPrefix(string(e), string(name)) {
			return true
		}
	}
	return false
}

// coveredBy says whether all documents that are excepted are excepted by others
// too.
func (e exceptions) coveredBy(others exceptions) bool {
	switch {
	case e == "" || others.all():
		return true
	case e.all():
		return false
	}
	for ; e != ""; e = e[nameSize:] {
		if !others.hasName(e[:nameSize]) {
			return false
		}
	}
	return true
}

// without returns the exceptions but for the document. Those that except all
// stay as they are.
func (e exceptions) without(k Key) exceptions {
	if e.all() {
		return e
	}
	name, rest := exception(k), exceptions("")
	for ; e != ""; e = e[nameSize:] {
		if e[:nameSize] != name {
			rest += e[:nameSize]
		}
	}
	return rest
}
