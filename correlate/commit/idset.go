package commit

// idSet is a set of chunk ids that forgets the oldest beyond its size.
type idSet struct {
	ids  map[ChunkID]struct{}
	ring []ChunkID
	next int
}

func newIDSet(size int) *idSet {
	return &idSet{ids: make(map[ChunkID]struct{}), ring: make([]ChunkID, 0, size)}
}

func (s *idSet) has(id ChunkID) bool {
	_, ok := s.ids[id]
	return ok
}

func (s *idSet) add(id ChunkID) {
	if s.has(id) {
		return
	}
	s.ids[id] = struct{}{}
	if len(s.ring) < cap(s.ring) {
		s.ring = append(s.ring, id)
		return
	}
	delete(s.ids, s.ring[s.next])
	s.ring[s.next] = id
	s.next = (s.next + 1) % len(s.ring)
}
