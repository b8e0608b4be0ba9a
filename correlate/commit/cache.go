package commit

import "container/list"

// cached is a document as this process last wrote it, acknowledged.
type cached struct {
	state    []byte
	version  Version
	complete uint64 // of its envelope
}

// cacheOverhead is about what an entry costs beside its key and state: the
// map's slot, the list's element and the structs.
const cacheOverhead = 224

// cache keeps acknowledged documents, least recently used out first. Losing
// an entry costs a read, nothing else.
type cache struct {
	maxBytes int64
	bytes    int64
	entries  map[Key]*list.Element
	order    *list.List // front is the most recently used
	evicted  int64
}

type cacheEntry struct {
	key Key
	cached
}

func (e *cacheEntry) size() int64 {
	return int64(len(e.key.Index)+len(e.key.ID)+cap(e.state)) + cacheOverhead
}

func newCache(maxBytes int64) *cache {
	return &cache{maxBytes: maxBytes, entries: map[Key]*list.Element{}, order: list.New()}
}

// get returns the document of key and makes it the most recently used.
func (c *cache) get(key Key) (cached, bool) {
	el, ok := c.entries[key]
	if !ok {
		return cached{}, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*cacheEntry).cached, true
}

// put stores the document of key, which must be acknowledged, and evicts what
// no longer fits.
func (c *cache) put(key Key, doc cached) {
	if el, ok := c.entries[key]; ok {
		e := el.Value.(*cacheEntry)
		c.bytes -= e.size()
		e.cached = doc
		c.bytes += e.size()
		c.order.MoveToFront(el)
	} else {
		e := &cacheEntry{key, doc}
		c.entries[key] = c.order.PushFront(e)
		c.bytes += e.size()
	}
	most := c.maxBytes
	if weakened("the cache keeps more than it may") {
		most *= 2
	}
	for c.bytes > most && c.order.Len() > 0 {
		c.remove(c.order.Back())
		c.evicted++
	}
}

// drop forgets the document of key.
func (c *cache) drop(key Key) {
	if el, ok := c.entries[key]; ok {
		c.remove(el)
	}
}

func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*cacheEntry)
	delete(c.entries, e.key)
	c.bytes -= e.size()
}
