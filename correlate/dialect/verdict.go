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
	// Decoy is where a command was given that nobody can be blamed for, with
	// Ownerless and Ambiguous.
	Decoy string
	// ClockSkew says that the event has the record's time because the line's
	// own was missing, unreadable or too far ahead.
	ClockSkew bool
}

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
	// DecoysOnly is traffic between decoys, or between strangers: none of
	// its ends is an attacker.
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
	SensorEvent:    {"sensor_event", Unattributed},
	NoAddress:      {"no_address", Unattributed},
	Ownerless:      {"ownerless_command", Unattributed},
	BadAddress:     {"bad_address", Unattributed},
	Ambiguous:      {"ambiguous_address", Unattributed},
	DecoysOnly:     {"decoys_only", Unattributed},
	Empty:          {"empty", Unparsed},
	UnknownShape:   {"unknown_shape", Unparsed},
	BadHeader:      {"bad_header", Unparsed},
	BadData:        {"bad_data", Unparsed},
	BadJSON:        {"bad_json", Unparsed},
	NoType:         {"no_type", Unparsed},
	TooLarge:       {"too_large", Unparsed},
}

// String returns the reason's name.
func (r Reason) String() string { return reasons[r].name }

// Class returns the class the reason belongs to.
func (r Reason) Class() Class { return reasons[r].class }

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
