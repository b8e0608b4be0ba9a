package profile

import (
	"slices"

	"dossier/correlate/law"
	"dossier/profile/rules"
)

// software appends the names of programs by what they are.
func (r *Renderer) software(d *document, f *figures) {
	open := false
	for _, kind := range [...]string{rules.Library, rules.Scanner, rules.Tool, rules.Malware} {
		r.names = r.names[:0]
		for _, name := range f.tools {
			if r.o.Rules.Kind(name) == kind {
				r.names = append(r.names, name)
			}
		}
		if len(r.names) == 0 {
			continue
		}
		if !open {
			d.object("software")
			open = true
		}
		d.strings(kind, r.names)
	}
	if open {
		d.end()
	}
}

// attributed appends the programs and groups of ECS, where the evidence is
// strong: a name that a client only gives itself is none.
func (r *Renderer) attributed(d *document, f *figures) {
	r.names = r.names[:0]
	for _, name := range f.tools {
		if kind := r.o.Rules.Kind(name); kind != rules.Library && kind != rules.Group && !r.o.Rules.Announces(name) {
			r.names = append(r.names, name)
		}
	}
	if len(r.names) > 0 {
		d.object("software")
		r.attackIDs(d, r.names)
		d.strings("name", r.names)
		d.array("type")
		for _, name := range r.names {
			if r.o.Rules.Kind(name) == rules.Malware {
				d.item("Malware")
			} else {
				d.item("Tool")
			}
		}
		d.endArray()
		d.end()
	}
	r.names = slices.DeleteFunc(append(r.names[:0], f.tools...), func(name string) bool { return r.o.Rules.Kind(name) != rules.Group })
	if len(r.names) > 0 {
		d.object("group")
		r.attackIDs(d, r.names)
		d.strings("name", r.names)
		d.end()
	}
}

// attackIDs appends the ids of ATT&CK of those names that have one.
func (r *Renderer) attackIDs(d *document, names []string) {
	r.keysOf = r.keysOf[:0]
	for _, name := range names {
		if id := r.o.Rules.AttackID(name); id != "" {
			r.keysOf = append(r.keysOf, id)
		}
	}
	d.someStrings("id", r.keysOf)
}

// tool appends by what a name was recognised.
func (r *Renderer) tool(d *document, e *law.Entry) {
	mark := r.o.Rules.Mark(e.Key, e.Payload)
	d.element()
	d.string("tool", e.Key)
	d.string("kind", r.o.Rules.Kind(e.Key))
	d.some("attack_id", r.o.Rules.AttackID(e.Key))
	d.some("by", e.Payload)
	d.some("source", mark.Source)
	d.some("collides", mark.Collides)
	d.counted(e)
	d.end()
}
