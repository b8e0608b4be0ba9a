package profile

import (
	"slices"
	"strconv"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

// ports appends the n ports of decoys' that matter most, those tried most often
// first.
func (r *Renderer) ports(d *document, ports *law.Bottom, n int) {
	if ports.Len() == 0 {
		return
	}
	r.entries = state.MergePorts(append(r.entries[:0], first(ports, n)...))
	slices.SortFunc(r.entries, state.ComparePorts)
	elements(d, "ports", r.entries, d.port)
	d.int("port_count", state.CountPorts(ports))
	d.object("port")
	d.strings("name", r.each(r.entries, func(e *law.Entry) (string, bool) {
		return r.arena.Keep(appendPort(r.arena.Grab(maxPort), e)), true
	}))
	d.end()
}

// maxPort is what a port's name takes at the most, in bytes.
const maxPort = len("udp/65535")

// appendPort appends a port's name: tcp/22, or 22 where the transport isn't
// known.
func appendPort(b []byte, e *law.Entry) []byte {
	t, port := state.PortOf(e.Key)
	if name := t.String(); name != "" {
		b = append(append(b, name...), '/')
	}
	return strconv.AppendUint(b, uint64(port), 10)
}

func (d *document) port(e *law.Entry) {
	t, port := state.PortOf(e.Key)
	d.element()
	d.some("transport", t.String())
	d.int("port", int64(port))
	d.bool("proven", e.Rank > 0)
	d.counted(e)
	d.end()
}
