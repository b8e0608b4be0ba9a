package dialect

import (
	"strconv"
	"strings"

	"dossier/correlate/event"
)

// Port returns the decoy's port of the event that was read last with a, 0 where
// its record doesn't tell it. v is the event's verdict.
func (p *Parser) Port(a *event.Arena, v Verdict, ev *event.Event) uint16 {
	x, ok := a.Local.(*scratch)
	if !ok || v.Class() != Parsed {
		return 0
	}
	text := ""
	switch v.Dialect {
	case Cowrie:
		if kind, _ := x.lookup("eventid"); !strings.HasPrefix(kind, directPrefix) {
			text = x.first("dst_port", "dest_port") // there it is the one that the client wants
		}
	case OpenCanary, DECNET:
		text = x.get("dst_port")
	case Suricata:
		text = x.otherPort(ev, "src_ip", "src_port", "dest_port")
	case ECS:
		text = x.otherPort(ev, "source.ip", "source.port", "destination.port")
	case Mapped:
		if x.custom != nil {
			text = x.says(x.custom, x.custom.Fields.Port)
		}
		if text == "" {
			text = x.first("dest_port", "dst_port", "destination_port", "local_port")
		}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// otherPort returns the port at the end that isn't the attacker's.
func (x *scratch) otherPort(ev *event.Event, source, sourcePort, destinationPort string) string {
	if addr, ok := event.ParseAddress(x.get(source)); ok && addr == ev.Addr {
		return x.get(destinationPort)
	}
	return x.get(sourcePort)
}
