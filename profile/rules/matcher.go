package rules

import "slices"

// matcher finds which of many texts stand in another, in one pass (Aho and
// Corasick, "Efficient string matching", 1975).
type matcher struct {
	// class maps a byte to its column: bytes that no text holds share column
	// 0.
	class   [256]uint8
	columns int
	next    []uint16 // state × columns + class → state
	found   [][]uint16
}

// newMatcher returns a matcher of texts, which are known by their index.
// Texts together must not be longer than 65,535 bytes.
func newMatcher(texts []string) *matcher {
	m := &matcher{columns: 1}
	for _, t := range texts {
		for i := range len(t) {
			if m.class[t[i]] == 0 {
				m.class[t[i]] = uint8(m.columns)
				m.columns++
			}
		}
	}
	state := func() uint16 {
		m.next = append(m.next, make([]uint16, m.columns)...)
		m.found = append(m.found, nil)
		return uint16(len(m.found) - 1)
	}
	state()
	at := func(s uint16, class uint8) *uint16 { return &m.next[int(s)*m.columns+int(class)] }
	for i, t := range texts {
		s := uint16(0)
		for j := range len(t) {
			class := m.class[t[j]]
			to := *at(s, class)
			if to == 0 {
				to = state()
				*at(s, class) = to
			}
			s = to
		}
		m.found[s] = append(m.found[s], uint16(i))
	}
	// Breadth first, so that where a state falls back to is complete.
	fall := make([]uint16, len(m.found))
	var queue []uint16
	for class := range m.columns {
		if to := m.next[class]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for class := range m.columns {
			to := at(s, uint8(class))
			if *to == 0 {
				*to = *at(fall[s], uint8(class))
				continue
			}
			fall[*to] = *at(fall[s], uint8(class))
			m.found[*to] = append(m.found[*to], m.found[fall[*to]]...)
			queue = append(queue, *to)
		}
	}
	return m
}

// appendFound appends the indices of the texts that stand in v, each once and
// in ascending order.
func (m *matcher) appendFound(dst []uint16, v []byte) []uint16 {
	state := 0
	for _, c := range v {
		state = int(m.next[state*m.columns+int(m.class[c])])
		for _, i := range m.found[state] {
			if !slices.Contains(dst, i) {
				dst = append(dst, i)
			}
		}
	}
	slices.Sort(dst)
	return dst
}
