// Package event holds what a sensor saw: records as Fluent Bit delivers them,
// the events that the dialects read from them, and the evidence an event
// carries about an attacker.
//
// Events and records are views. Their strings point into the chunk or into
// the Arena they were read with and are valid only until the flush that
// delivered the chunk returns. Whoever keeps one longer clones it.
package event

import (
	"net/netip"
	"time"
)

// Time is an instant in microseconds since 1970-01-01 UTC, the resolution of
// the sensors' own time stamps.
type Time int64

// Never is the zero Time: no instant is known.
const Never Time = 0

// FromTime converts t, cutting what is finer than a microsecond.
func FromTime(t time.Time) Time { return Time(t.UnixMicro()) }

// Time converts t to UTC.
func (t Time) Time() time.Time { return time.UnixMicro(int64(t)).UTC() }

// Hour returns the start of the hour that t falls in.
func (t Time) Hour() Time {
	const hour = Time(time.Hour / time.Microsecond)
	h := t - t%hour
	if t < 0 && h > t {
		h -= hour
	}
	return h
}

// Field is one name and its value, as text.
type Field struct {
	Key, Value string
}

// Record is one log record of a chunk: the time Fluent Bit gave it and its
// body as flat fields. Nested maps are joined with dots ("source.ip"), array
// elements are numbered ("alert.1"), null is left out.
type Record struct {
	Time   Time
	Fields []Field
}

// Get returns the value of the first field named key.
func (r *Record) Get(key string) (string, bool) {
	for i := range r.Fields {
		if r.Fields[i].Key == key {
			return r.Fields[i].Value, true
		}
	}
	return "", false
}

// Kind says how far an event went. The kinds are ordered: the strongest kind
// seen decides how a service counts.
type Kind uint8

// The kinds, weakest first.
const (
	// Noise is what the sensor says about itself or what no attacker meant:
	// start, stop, parse errors.
	Noise Kind = iota
	// Scan is a touch: a connection, a probe, a login attempt, a request.
	Scan
	// Interaction is use of the service: a command, a transfer, a mail.
	Interaction
)

// String returns the kind's name as it stands in the documents.
func (k Kind) String() string {
	switch k {
	case Interaction:
		return "interaction"
	case Scan:
		return "scan"
	default:
		return "noise"
	}
}

// Role says who reports an event.
type Role uint8

const (
	// Decoy is an ordinary decoy service: its events count in full.
	Decoy Role = iota
	// Sniffer is a passive observer: its events count and touch the decky
	// they name, but are no service.
	Sniffer
	// Prober is our own active probe of an attacker: its events add
	// evidence, never a count, time, service, decky or class.
	Prober
	// Contact is the decoy itself: it opened a connection to the address,
	// which did nothing. Its events are noise, and of their evidence only
	// fingerprints and alerts on a payload host are kept.
	Contact
)

// Phase is a set of the attack phases an event type stands for.
type Phase uint8

const (
	// Recon is looking around: connections, banners, login attempts.
	Recon Phase = 1 << iota
	// Exfil is hands on data: commands, transfers, queries.
	Exfil
)

// Naming says how an event's service is known.
type Naming uint8

const (
	// Named is a service that the record, or another of its chunk, tells.
	Named Naming = iota
	// Names is one that a record tells for its session: the session's records
	// in other chunks may lack it.
	Names
	// Guessed is GuessedService, unless another event of the session Names it.
	Guessed
)

// GuessedService is what a session of Cowrie's counts as where nothing tells:
// most are.
const GuessedService = "ssh"

// Event is one thing one attacker did, in the vocabulary all dialects share.
type Event struct {
	// Time is when it happened: the line's own time, or the record's where
	// the line's is missing, unreadable or too far ahead.
	Time Time
	// Addr is the attacker, from the sensor's own connection fields; never
	// IPv4-mapped, never with a zone.
	Addr netip.Addr
	// Decky is the decoy's name, cleaned and capped; "" where none is named.
	Decky string
	// Service is the decoy service touched ("ssh"); "" for observers.
	Service string
	// Type is the event type in the sensor's own words.
	Type string
	Kind Kind
	Role Role
	// Phase holds the attack phases of Type.
	Phase Phase
	// Proof says how Addr is known.
	Proof Proof
	// Port is the decoy's port of the connection that the attacker opened, 0
	// where the record doesn't tell it; Transport is what it ran over.
	Port      uint16
	Transport Transport
	// Large says that a payload of at least 1 MiB was moved.
	Large bool
	// Naming says how Service is known, Session which session of the sensor's
	// the event is of, by a hash of its id: 0 where Naming is Named.
	Naming  Naming
	Session uint64
	// Stray says that Time is so far from the record's own that it must not
	// open a month of its own.
	Stray bool
	// Evidence is what the event shows beyond having happened.
	Evidence []Evidence
}

// EvidenceKind says what an Evidence is about and what its fields mean.
type EvidenceKind uint8

const (
	// Command is something typed or sent: A the line, N 1 where a rule knows
	// it.
	Command EvidenceKind = iota + 1
	// Login is an attempt to authenticate: A the principal, B the kind of
	// secret ("plaintext", "mysql_native_password", "publickey", ...; ""
	// where no secret was shown), C the secret as it may be shown, Digest
	// the SHA-256 of the secret's bytes, Outcome how it ended, N how often it
	// was made where one line tells of several, else 0.
	Login
	// Fingerprint is a value by which software can be recognised: A the type
	// ("ja3", "hassh", "http_useragent"), B the value, Payload the rest.
	Fingerprint
	// Artifact is a file or mail captured, uploaded or fetched: A its
	// SHA-256 in hex, B the URL it came from, C its kind ("file", "mail",
	// "url"), Payload the rest.
	Artifact
	// Leak is an address that the attacker's own headers claim: A the
	// address, B the header, C its category ("public" or the reason why it
	// can't be public).
	Leak
	// Session is a session on the sensor: A its id, N its length in
	// milliseconds where that is known.
	Session
	// Recipient is a mail domain the attacker aimed at: A the domain in
	// lower-case ASCII, Outcome whether the decoy took it. The local part is
	// gone.
	Recipient
	// Message is a mail taken for the domain A.
	Message
	// Stack is a passive or active TCP/IP fingerprint: A the sniffer's guess
	// of the operating system, N the TTL as seen, M the hop distance (0:
	// unknown), Payload the snapshot (window, wscale, mss, ...).
	Stack
	// Retransmits is N retransmitted segments.
	Retransmits
	// KexOrder is the key exchange algorithms A in the client's order.
	KexOrder
	// Tool is a tool A recognised from what the event shows; B says by what.
	Tool
	// Technique is an ATT&CK technique A, by rule; B says by what.
	Technique
	// Alert is a signature an intrusion detector matched: A the signature, B
	// its category, N its severity (1 is worst), C PayloadHost where it
	// matched in what the decoy fetched.
	Alert
	// Said is text that rules look at and nobody keeps: A the text as it was
	// sent, capped, B which part of a request it is (SaidRequest ...), C the
	// request's method or the header's name.
	Said
	// Conclusion is what a rule concluded: A the rule's id, B what it saw, N
	// the rank of its stage, M 1 where a decoy was only asked to do what it saw.
	Conclusion
	// Indicator is something that is used beyond the decoy: A its kind
	// (IndicatorURL ...), B its normalised value, C how it was used (UsedCommand
	// ...).
	Indicator
	// Forward is what a decoy was asked to pass on: A the target as host:port, or
	// a mail domain, B by which way (ForwardTCP ...).
	Forward
)

// The kinds of Indicator.
const (
	IndicatorURL        = "url"
	IndicatorDomain     = "domain"
	IndicatorIP         = "ip"
	IndicatorSHA256     = "sha256"
	IndicatorSHA1       = "sha1"
	IndicatorMD5        = "md5"
	IndicatorEmail      = "email"
	IndicatorWallet     = "wallet"
	IndicatorKeyComment = "key_comment"
)

// IndicatorKinds returns all kinds of Indicator.
func IndicatorKinds() []string {
	return []string{
		IndicatorURL, IndicatorDomain, IndicatorIP, IndicatorSHA256, IndicatorSHA1, IndicatorMD5, IndicatorEmail, IndicatorWallet, IndicatorKeyComment,
	}
}

// How an Indicator was used.
const (
	UsedCommand = "command" // named in what was typed or put in a program's hands
	UsedRequest = "request" // named in a request
	UsedFile    = "file"    // a file that was brought, or where one came from
	UsedNote    = "note"    // named in a demand for ransom
	UsedKey     = "key"     // stood behind an SSH key
	UsedFetched = "fetched" // a decoy fetched it
	UsedWritten = "written" // what a decoy's shell wrote into a file of the system
	UsedSystem  = "system"  // a program of the decoy's own
)

// The ways of Forward.
const (
	ForwardTCP   = "direct-tcpip"
	ForwardProxy = "http_proxy"
	ForwardMail  = "smtp_relay"
)

// The parts of Said.
const (
	SaidRequest = "request" // path and query
	SaidHeader  = "header"  // its value
	SaidBody    = "body"
	SaidText    = "text" // anything else, such as a file's name
)

// PayloadHost says of an alert that it matched while the decoy talked to the
// address: it shows where payloads come from, and nothing of an attack.
const PayloadHost = "payload_host"

// Outcome says how an attempt ended.
type Outcome uint8

// The outcomes, weakest first: the strongest one seen is kept.
const (
	Unknown Outcome = iota
	Failure
	Success
)

// String returns the outcome's name as it stands in the documents, "" where
// it is not known.
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	default:
		return ""
	}
}

// Evidence is one thing an event shows. What A, B, C, N and M mean depends on
// Kind; strings are repaired and capped.
type Evidence struct {
	Kind    EvidenceKind
	Outcome Outcome
	N, M    int64
	A, B, C string
	Digest  [32]byte
	Payload []Field
}

// Get returns the value of the payload field named key, "" without one.
func (e *Evidence) Get(key string) string {
	for i := range e.Payload {
		if e.Payload[i].Key == key {
			return e.Payload[i].Value
		}
	}
	return ""
}
