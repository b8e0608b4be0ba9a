package dialect

// Verdict says what became of a record.
type Verdict struct {
	// Reason is why, in a word.
	Reason Reason
	// Dialect is the dialect the record was read as; None where none fits.
	Dialect Dialect
	// Program is the program whose line was dropped, with DropApp: one of
	// those that Options.DropApps names.
	Program string
	// Speaker is the program whose line gave no event, where it is one of those
	// whose sentences are read.
	Speaker string
	// Decoy is where a command was given that nobody can be blamed for, with
	// Ownerless and Ambiguous.
	Decoy string
	// ClockSkew says that the event has the record's time because the line's
	// own was missing, unreadable or too far ahead.
	ClockSkew bool
	// Cut says that a document had more than is read of one (event.MaxFields and
	// others), and lost the rest.
	Cut bool
	// Missing says what the record leaves to others of its session, for
	// Parser.Settle.
	Missing Missing
	// session is the session, where something is missing.
	session string
}

// Missing is a set of what a record leaves to others of its session.
type Missing uint8

const (
	// MissingService is a service that is a guess.
	MissingService Missing = 1 << iota
	// MissingDecky is a decoy's name.
	MissingDecky
)

// Class returns the verdict's class.
func (v Verdict) Class() Class { return reasons[v.Reason].class }

// Class is the coarse result of reading a record.
type Class uint8

const (
	// Parsed records give one event.
	Parsed Class = iota
	// Dropped records are left out on purpose.
	Dropped
	// Unattributed records were understood, but no attacker's address stands
	// in them.
	Unattributed
	// Unparsed records are in no form that any dialect knows.
	Unparsed
)

// String returns the class's name as it stands in metric names.
func (c Class) String() string {
	return [...]string{"parsed", "dropped", "unattributed", "unparsed"}[c]
}

// Reason is why a record was judged as it was. The names are a fixed set, so
// that they can be the values of a metric's label.
type Reason uint8

const (
	// OK is the reason of parsed records.
	OK Reason = iota

	// DropApp is a program of Options.DropApps.
	DropApp
	// SensorReport is the sensor talking about its own work: a mutation, a
	// correlation, statistics.
	SensorReport
	// StructuredData is an event in a form that Options.SentencesOnly leaves
	// out.
	StructuredData
	// JSONInSyslog is JSON inside a line of syslog that Options.JSON doesn't
	// trust.
	JSONInSyslog

	// SensorEvent is a start, a stop or an error of the sensor that names no
	// attacker.
	SensorEvent
	// NoAddress is an event without an address, or with a placeholder ("-",
	// "?", "Unknown") for it.
	NoAddress
	// Ownerless is a command of a shell whose hook told no address, or none
	// that is one: whoever types can unset it.
	Ownerless
	// BadAddress is an event whose address is not one.
	BadAddress
	// Ambiguous is an event that names an address more than once, of which
	// at least one isn't the sensor's.
	Ambiguous
	// UnknownSender is an entry of systemd's journal that says it is sshd's, or a
	// shell's, and nothing that journald knows of its sender agrees.
	UnknownSender
	// DecoysOnly is traffic between decoys, between strangers, of a host
	// with itself or with a group: none of its ends is an attacker.
	DecoysOnly

	// Empty is a record without text.
	Empty
	// UnknownShape is a record in which no dialect recognises itself.
	UnknownShape
	// BadHeader is a syslog line whose header breaks the grammar.
	BadHeader
	// BadData is a syslog line whose structured data breaks the grammar.
	BadData
	// BadJSON is text that starts as JSON and isn't.
	BadJSON
	// NoType is an event that doesn't say what happened.
	NoType
	// PartialLine is a piece of a line that a container runtime cut.
	PartialLine
	// TooLarge is a line or a document longer than MaxText.
	TooLarge

	// ReasonCount is the number of reasons.
	ReasonCount
)

var reasons = [ReasonCount]struct {
	name  string
	class Class
}{
	OK:             {"ok", Parsed},
	DropApp:        {"drop_app", Dropped},
	SensorReport:   {"sensor_report", Dropped},
	StructuredData: {"structured_data", Dropped},
	JSONInSyslog:   {"json_in_syslog", Dropped},
	SensorEvent:    {"sensor_event", Unattributed},
	NoAddress:      {"no_address", Unattributed},
	Ownerless:      {"ownerless_command", Unattributed},
	BadAddress:     {"bad_address", Unattributed},
	Ambiguous:      {"ambiguous_address", Unattributed},
	UnknownSender:  {"unknown_sender", Unattributed},
	DecoysOnly:     {"decoys_only", Unattributed},
	Empty:          {"empty", Unparsed},
	UnknownShape:   {"unknown_shape", Unparsed},
	BadHeader:      {"bad_header", Unparsed},
	BadData:        {"bad_data", Unparsed},
	BadJSON:        {"bad_json", Unparsed},
	NoType:         {"no_type", Unparsed},
	PartialLine:    {"partial_line", Unparsed},
	TooLarge:       {"too_large", Unparsed},
}

// String returns the reason's name.
func (r Reason) String() string { return reasons[r].name }

// Class returns the class the reason belongs to.
func (r Reason) Class() Class { return reasons[r].class }

// Gap says whether records with this reason may be what a sensor means and
// Dossier doesn't read, or is told not to: they are worth a look.
func (r Reason) Gap() bool {
	switch r {
	case SensorEvent, BadAddress, JSONInSyslog, UnknownSender:
		return true
	default:
		return r.Class() == Unparsed
	}
}

// Reasons returns all reasons, for whoever counts by them.
func Reasons() []Reason {
	all := make([]Reason, ReasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Dialect is a form in which sensors write.
type Dialect uint8

const (
	// None is no dialect.
	None Dialect = iota
	// DECNET is DECNET's RFC 5424 lines and its collector's JSON.
	DECNET
	// Native is the lines of ordinary programs around a decoy: the shell
	// hook, sshd, PAM.
	Native
	// Cowrie is Cowrie's JSON log.
	Cowrie
	// OpenCanary is OpenCanary's JSON log.
	OpenCanary
	// Suricata is Suricata's EVE JSON.
	Suricata
	// ECS is the Elastic Common Schema.
	ECS
	// Mapped is any flat JSON that a field map describes.
	Mapped

	dialectCount
)

// String returns the dialect's name, as the option "dialect" takes it.
func (d Dialect) String() string {
	return [dialectCount]string{"none", "decnet", "native", "cowrie", "opencanary", "suricata", "ecs", "mapped"}[d]
}
