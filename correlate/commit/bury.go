package commit

// bury sends to the dead letters what of c was rejected, all else of it being
// durable.
func (m *Machine) bury(c *chunk) {
	c.state = burying
	var letters []Letter
	for p := range c.rejected() {
		letters = append(letters, Letter{
			Chunk: c.id, Minute: c.minute, Reason: p.reason,
			Part: Part{Key: p.doc.key, Class: p.doc.class, Delta: p.delta},
		})
	}
	m.send(&Request{Kind: Bury, Letters: letters, Chunks: 1, chunk: c}, c.deadline)
}

func (m *Machine) answerBury(c *chunk, a Answer) {
	if c.state == burying {
		c.state = committing
	}
	kind, except := Buried, exceptions("")
	if a.Err != nil {
		kind = NotBuried
	}
	for p := range c.rejected() {
		in := Incident{Kind: kind, Key: p.doc.key, Reason: p.reason, Err: a.Err}
		if a.Err != nil {
			in.Reason = a.Err.Error()
		}
		m.report(in)
		if !weakened("the marker vouches for what was buried") {
			except += exception(p.doc.key)
		}
	}
	if a.Err != nil && !weakened("not written, and OK all the same") {
		m.giveBack(c)
		return
	}
	m.stats.Buried += int64(c.outcomes[rejected])
	if c.outcomes[rejected] > maxExcept {
		except = exceptAll
	}
	m.complete(c, except)
}
