package event

// Transport is what a connection runs over.
type Transport uint8

const (
	// NoTransport is one that isn't known.
	NoTransport Transport = iota
	TCP
	UDP
)

var transports = [...]string{"", "tcp", "udp"}

// String returns the transport's name as it stands in the documents, "" where
// it isn't known.
func (t Transport) String() string {
	if int(t) < len(transports) {
		return transports[t]
	}
	return ""
}

// TransportNamed returns the transport that a sensor calls so, in lower case or
// by its number among IP's protocols.
func TransportNamed(name string) Transport {
	switch name {
	case "tcp", "tls", "ssl", "6":
		return TCP
	case "udp", "quic", "17":
		return UDP
	}
	return NoTransport
}
