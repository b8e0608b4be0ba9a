package dialect

import (
	"math"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// place sets the decoy's port of the event that was read last, and what the
// connection ran over, as far as its record tells them. What the decoy opened
// came to no port of it.
func (p *Parser) place(x *scratch, v Verdict, ev *event.Event) {
	ev.Port, ev.Transport = 0, event.NoTransport
	if v.Class() != Parsed || ev.Role == event.Contact || ev.Role == event.Prober {
		return
	}
	text, transport := "", ""
	switch v.Dialect {
	case Cowrie:
		if kind, _ := x.lookup("eventid"); !strings.HasPrefix(kind, directPrefix) {
			text = x.first("dst_port", "dest_port") // there it is the one that the client wants
		}
	case OpenCanary:
		text, transport = x.get("dst_port"), x.get("logdata.PROTO")
		if slices.Contains(canaryDatagrams, ev.Service) {
			transport = "udp"
		}
	case DECNET:
		text, transport = x.get("dst_port"), x.get("transport")
		if transport == "" {
			// What the sniffer names by its protocol says what that runs over.
			switch layer, _, _ := strings.Cut(ev.Type, "_"); layer {
			case "tcp", "tls", "ssh":
				transport = "tcp"
			case "quic":
				transport = "udp"
			}
		}
	case Native:
		text = x.port
	case Suricata:
		text, transport = x.otherPort(ev, "src_ip", "src_port", "dest_port"), x.get("proto")
	case ECS:
		text = x.otherPort(ev, "source.ip", "source.port", "destination.port")
		transport = x.first("network.transport", "network.transport.0", "network.iana_number", "network.iana_number.0")
	case Mapped:
		if x.custom != nil {
			text, transport = x.says(x.custom, x.custom.Fields.Port), x.says(x.custom, x.custom.Fields.Transport)
		}
		if text == "" {
			text = x.first("dest_port", "dst_port", "destination_port", "local_port")
		}
	}
	// Not by strconv, which makes an error of each record without a port.
	n, ok := digits(text, 0, len(text))
	if !ok || len(text) > len("65535") || n < 1 || n > math.MaxUint16 {
		return
	}
	ev.Port = uint16(n)
	if outer, ok := p.ownPorts[DecoyPort{ev.Decky, ev.Port}]; ok {
		ev.Port = outer
	} else if outer, ok := p.ports[ev.Port]; ok {
		ev.Port = outer
	}
	if len(transport) <= longestTransport {
		ev.Transport = event.TransportNamed(x.lower(transport))
	}
	if ev.Transport == event.NoTransport && ev.Proof.Proven() {
		ev.Transport = event.TCP // or the address would be a claim
	}
}

// longestTransport is the length of the longest name of a transport, about.
const longestTransport = 8

// canaryDatagrams are the services of OpenCanary's that run over UDP.
var canaryDatagrams = []string{"tftp", "ntp", "snmp", "sip", "llmnr"}

// otherPort returns the port at the end that isn't the attacker's.
func (x *scratch) otherPort(ev *event.Event, source, sourcePort, destinationPort string) string {
	if addr, ok := event.ParseAddress(x.get(source)); ok && addr == ev.Addr {
		return x.get(destinationPort)
	}
	return x.get(sourcePort)
}
