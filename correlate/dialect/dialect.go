// Package dialect reads records into events: the lines and documents of the
// sensors that people run, each by the grammar of what the real program
// writes.
//
// A record is judged by its shape, in one pass over its fields: which of the
// names stand in it that only one sensor uses, or else what its line starts
// with. No dialect is tried out. An attacker's address comes only from the
// fields in which the sensor itself puts the other end of a connection.
package dialect

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dossier/correlate/event"
)

// MaxText is the longest line or document that is read, in bytes.
const MaxText = 4 << 20

// decnetDropApps are the programs in DECNET's containers whose lines repeat what
// the decoy reports itself: the default of DECNET's own collector.
var decnetDropApps = []string{
	"sshd", "pam_unix", "sudo", "su", "CRON", "cron", "systemd", "kernel", "rsyslogd", "dbus-daemon",
}

// DefaultInternalPrefix starts the names of DECNET's own hosts.
const DefaultInternalPrefix = "decnet-"

// Options say how records are read.
type Options struct {
	// Force is the dialect of all records; "" chooses by shape.
	Force string
	// DropApps are the programs whose lines are dropped, whatever their form.
	// nil means what DECNET's collector drops, in the form in which its
	// containers write only: RFC 5424, or the collector's JSON.
	DropApps []string
	// InternalDeckyPrefix starts the names of hosts that are no decoys; ""
	// means DefaultInternalPrefix.
	InternalDeckyPrefix string
	// DecoyNets are the decoys' own networks: where a sensor reports both
	// ends of a flow, the attacker is the one outside.
	DecoyNets []netip.Prefix
	// DecoyNames names the decoys that a network sensor knows by address
	// alone, so that a decoy is one decky whoever reports it.
	DecoyNames map[netip.Addr]string
	// Ports maps a decoy's inner port to the one that attackers connect to,
	// where the decoy runs behind a redirection.
	Ports map[uint16]uint16
	// DecoyPorts does so for one decoy, and goes before Ports.
	DecoyPorts map[DecoyPort]uint16
	// SentencesOnly says that nothing is read but what programs say in
	// sentences: no structured data of DECNET's and no JSON, which somebody may
	// have typed on the decoy.
	SentencesOnly bool
	// FieldMaps describe JSON that no built-in dialect knows (ReadFieldMaps).
	FieldMaps []FieldMap
	// Secrets says how much of a secret is shown.
	Secrets Secrets
	// JSON says whose JSON counts that stands inside a line of syslog.
	JSON JSONTrust
	// Zone is that of times without one in lines of syslog.
	//
	// If Zone is nil, UTC will be used.
	Zone *time.Location
	// Year is that of times without one in lines of syslog.
	//
	// If Year is zero, it is the latest in which they aren't after the record's
	// time.
	Year int
	// Latest is a time up to which a line's own is believed whatever the record's
	// is; Never is none.
	Latest event.Time
}

// DecoyPort is a port on which a decoy listens.
type DecoyPort struct {
	// Decky is the decoy's name, as events have it.
	Decky string
	Port  uint16
}

// Parser reads records. It doesn't change and may be used concurrently, with
// arenas that aren't.
type Parser struct {
	force    Dialect
	apps     map[string]app
	internal string
	decoys   []netip.Prefix
	secrets  Secrets
	names    map[netip.Addr]string
	ports    map[uint16]uint16
	ownPorts map[DecoyPort]uint16
	maps     fieldMaps
	zone     zone
	latest   event.Time
	json     JSONTrust
	// sentences is Options.SentencesOnly.
	sentences bool
}

// New returns a Parser.
func New(o Options) (*Parser, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	p := &Parser{
		apps:     programs(o.DropApps),
		internal: o.InternalDeckyPrefix,
		decoys:   slices.Clone(o.DecoyNets),
		names:    maps.Clone(o.DecoyNames),
		ports:    maps.Clone(o.Ports),
		ownPorts: maps.Clone(o.DecoyPorts),
		secrets:  o.Secrets,
		zone:     zone{location: o.Zone, year: o.Year},
		latest:   o.Latest,
		json:     JSONTrust{o.JSON.All, slices.Clone(o.JSON.Units)},

		sentences: o.SentencesOnly,
	}
	if p.internal == "" {
		p.internal = DefaultInternalPrefix
	}
	if o.Zone == nil {
		p.zone.location = time.UTC
	}
	p.force, _ = dialectNamed(o.Force)
	p.maps = newFieldMaps(o.FieldMaps)
	return p, nil
}

func (o *Options) validate() error {
	var errs []error
	if _, ok := dialectNamed(o.Force); !ok {
		errs = append(errs, fmt.Errorf("dialect is %q: it must be one of %s", o.Force, strings.Join(dialectNames(), ", ")))
	}
	for _, app := range o.DropApps {
		if app == "" || strings.ContainsAny(app, " []") {
			errs = append(errs, fmt.Errorf("drop_apps has %q: it must be a program's name", app))
		}
	}
	for _, net := range o.DecoyNets {
		if !net.IsValid() {
			errs = append(errs, errors.New("decoy_nets has an invalid network"))
		}
	}
	for i := range o.FieldMaps {
		if err := o.FieldMaps[i].validate(); err != nil {
			errs = append(errs, fmt.Errorf("field_map %q: %w", o.FieldMaps[i].Name, err))
		}
	}
	if !o.Secrets.Valid() {
		errs = append(errs, fmt.Errorf("store_secrets is %d: it must be plain, sha256 or none", o.Secrets))
	}
	return errors.Join(errs...)
}

// dialectNamed returns the dialect of that name; "" and "auto" mean by shape.
func dialectNamed(name string) (Dialect, bool) {
	if name == "" || name == "auto" {
		return None, true
	}
	for d := None + 1; d < dialectCount; d++ {
		if d.forcible() && d.String() == name {
			return d, true
		}
	}
	return None, false
}

// forcible says whether a dialect can be forced: the others are known by what
// stands in the record alone.
func (d Dialect) forcible() bool { return d != Native && d != Mapped }

func dialectNames() []string {
	names := []string{"auto"}
	for d := None + 1; d < dialectCount; d++ {
		if d.forcible() {
			names = append(names, d.String())
		}
	}
	return names
}

// Parse reads r into out, whose strings are views of r or live in a. Only
// where the verdict's class is Parsed has out an event.
//
// The Parser keeps its working memory in a.Local.
func (p *Parser) Parse(a *event.Arena, r *event.Record, out *event.Event) Verdict {
	x, ok := a.Local.(*scratch)
	if !ok || x.parser != p || x.arena != a {
		x = &scratch{parser: p, arena: a, secrets: p.secrets}
		a.Local = x
	}
	*out = event.Event{}
	x.next()
	v := p.document(x, r, r.Fields, 0, out)
	if p.sentences && v.Class() == Parsed && v.Dialect != Native {
		*out = event.Event{}
		v = Verdict{Dialect: v.Dialect, Reason: StructuredData}
	}
	p.place(x, v, out)
	return v
}

// The names under which a record may have its line, best first.
var lineKeys = [...]string{"raw_line", "log", "message", "MESSAGE", "msg"}

// maxNesting is how many documents may be wrapped in each other: a message
// broker's around Docker's around a sensor's.
const maxNesting = 3

// shape is what the names of a record's fields say about it.
type shape struct {
	// line is the best of the line keys, rank its place in lineKeys.
	line string
	rank int
	// docker says that the line was written by Docker's json-file driver.
	docker bool
	// partial says that a container runtime cut the line.
	partial bool
	// journal says that the record is an entry of systemd's journal.
	journal bool
	// wrapped says that the record may be something around a document.
	wrapped bool
	// ecs says that the record names the schema it follows.
	ecs     bool
	dialect Dialect
	// custom is the field map that knows the record.
	custom *fieldMap
}

// The names of fields that tell dialects apart, as a set.
const (
	hasDecky = 1 << iota
	hasIdent
	hasExtraData
	hasMessage
	hasCowrieID
	hasLogType
	hasNodeID
	hasSourceHost
	hasEventType
	hasEveType
	hasFlow
	hasEnds
	hasProto
	hasStats
	hasSource
	hasECS
	hasStream
	hasLog
	hasPriority
	hasJournal
)

// shapeOf looks at each field once.
func (p *Parser) shapeOf(fields []event.Field) shape {
	s := shape{rank: len(lineKeys)}
	has := 0
	for i := range fields {
		f := &fields[i]
		rank := len(lineKeys)
		switch f.Key {
		case "raw_line":
			rank = 0
		case "log":
			rank = 1
			has |= hasLog
		case "message":
			rank = 2
			has |= hasMessage
		case "pri":
			has |= hasPriority
		case "_p", "logtag":
			s.partial = s.partial || f.Value == "P"
		case "_COMM", "_SYSTEMD_UNIT", "_TRANSPORT", "_BOOT_ID", "_MACHINE_ID", "__REALTIME_TIMESTAMP", "__CURSOR", "SYSLOG_IDENTIFIER",
			"_comm", "_systemd_unit", "_transport", "_boot_id", "__realtime_timestamp", "syslog_identifier", "journald.process.name", "journald.pid",
			"systemd.transport", "systemd.unit":
			has |= hasJournal
		case "MESSAGE":
			rank = 3
		case "msg":
			rank = 4
		case "stream":
			has |= hasStream
		case "decky":
			has |= hasDecky
		case "ident":
			has |= hasIdent
		case "extradata":
			has |= hasExtraData
		case "eventid":
			if strings.HasPrefix(f.Value, cowriePrefix) {
				has |= hasCowrieID
			}
		case "logtype":
			has |= hasLogType
		case "node_id":
			has |= hasNodeID
		case "src_host":
			has |= hasSourceHost
		case "event_type":
			has |= hasEventType
			if _, known := table[Suricata][f.Value]; known {
				has |= hasEveType
			}
		case "flow_id", "alert.signature_id":
			has |= hasFlow
		case "dest_ip":
			has |= hasEnds
		case "proto":
			has |= hasProto
		case "stats.uptime":
			has |= hasStats
		case "source.ip", "source.address", droppedPeer:
			has |= hasSource
		case "ecs.version":
			s.ecs = true
			has |= hasECS
		case "event.action", "event.category", "event.category.0", "event.dataset", "event.kind",
			"event.module", "event.type", "event.type.0", "observer.name":
			has |= hasECS
		default:
			s.wrapped = s.wrapped || mayWrap(f.Key)
		}
		if rank < s.rank {
			s.rank, s.line = rank, f.Value
		}
		if p.maps.any {
			s.custom = p.maps.find(s.custom, fields, f.Key)
		}
	}
	s.docker = has&hasLog != 0 && has&hasStream != 0
	s.journal = has&hasJournal != 0 && s.rank < len(lineKeys) && has&hasLog == 0
	all := func(bits int) bool { return has&bits == bits }
	// A user's own map is no guess, so that it comes before those that are.
	switch {
	case s.custom != nil && s.custom.as != None:
		s.dialect = s.custom.as
	case s.custom != nil:
		s.dialect = Mapped
	case all(hasDecky):
		s.dialect = DECNET
	case all(hasCowrieID):
		s.dialect = Cowrie
	case all(hasLogType | hasNodeID | hasSourceHost):
		s.dialect = OpenCanary
	case all(hasEventType | hasFlow | hasEnds), all(hasEveType) && has&(hasFlow|hasStats) != 0, all(hasEveType | hasEnds | hasProto):
		s.dialect = Suricata
	case all(hasIdent) && has&(hasExtraData|hasMessage) != 0, all(hasPriority | hasMessage):
		s.dialect = Native
	case all(hasSource | hasECS):
		s.dialect = ECS
	}
	return s
}

// document reads a record's fields, or those of a JSON document in it.
func (p *Parser) document(x *scratch, r *event.Record, fields []event.Field, depth int, out *event.Event) Verdict {
	s := p.shapeOf(fields)
	x.text, x.seen, x.depth = depth > 0, fields, depth
	if s.dialect == None && s.custom == nil {
		switch {
		case s.partial:
			return Verdict{Reason: PartialLine}
		case s.journal && p.sentences && depth > 0:
			return Verdict{Dialect: Native, Reason: StructuredData}
		case s.journal:
			return p.journalEntry(x, r, fields, out)
		case s.wrapped:
			if v, ok := p.unwrapped(x, r, fields, depth, out); ok {
				return v
			}
			x.seen, x.depth = fields, depth
		}
	}
	dialect := s.dialect
	if p.force != None && dialect != p.force && dialect != Native {
		dialect = p.force
		if s.rank < len(lineKeys) {
			dialect = None // what is forced is inside the line
		}
	}
	switch dialect {
	case DECNET:
		return p.decnetDocument(x, r, fields, &s, out)
	case Native:
		return p.splitLine(x, r, fields, out)
	case Cowrie:
		return p.cowrie(x, r, fields, out)
	case OpenCanary:
		return p.openCanary(x, r, fields, out)
	case Suricata:
		return p.suricata(x, r, fields, out)
	case ECS:
		return p.ecs(x, r, fields, out)
	case Mapped:
		return p.mapped(x, r, fields, s.custom, out)
	}
	if s.ecs {
		if f, ok := x.unparsedSentence(fields); ok {
			return p.decnet(x, &f, r, out)
		}
	}
	// Inside a document, only what shippers wrap has a line: any other text in
	// it may be the attacker's.
	if s.rank == len(lineKeys) || depth > 0 && !s.docker && !shipped(fields) {
		if s.ecs {
			return Verdict{Dialect: ECS, Reason: SensorEvent}
		}
		return Verdict{Reason: UnknownShape}
	}
	v := p.line(x, r, s.line, depth, out)
	if v.Reason == BadJSON && s.docker && depth > 0 && !strings.HasSuffix(s.line, "\n") {
		return Verdict{Reason: PartialLine} // Docker cuts lines at 16 KiB
	}
	if v.Reason == UnknownShape && s.ecs {
		return Verdict{Dialect: ECS, Reason: SensorEvent}
	}
	return v
}

// line reads a record's line of text.
func (p *Parser) line(x *scratch, r *event.Record, line string, depth int, out *event.Event) Verdict {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return Verdict{Reason: Empty}
	case len(line) > MaxText:
		return Verdict{Reason: TooLarge}
	case line[0] == '"', strings.HasPrefix(line, `{\"`):
		if text, ok := x.unquoted(line); ok {
			if depth == maxNesting {
				return Verdict{Reason: UnknownShape}
			}
			return p.line(x, r, text, depth+1, out)
		}
		return Verdict{Dialect: p.force, Reason: BadJSON}
	case line[0] == '{':
		return p.jsonText(x, r, line, depth, out)
	case strings.HasPrefix(line, ceeCookie):
		return p.jsonText(x, r, strings.TrimSpace(line[len(ceeCookie):]), depth, out)
	}
	if rest, partial, ok := cutCRI(line); ok {
		if partial {
			return Verdict{Reason: PartialLine}
		}
		if rest = strings.TrimSpace(rest); rest != "" && rest[0] == '{' {
			return p.jsonText(x, r, rest, depth, out)
		}
		line = rest
	}
	if line == "" {
		return Verdict{Reason: Empty}
	}
	if p.force > Native && !p.json.any() {
		return Verdict{Dialect: p.force, Reason: UnknownShape}
	}
	x.depth = depth
	return p.syslogLine(x, r, line, out)
}

// jsonText reads a document that comes as text.
func (p *Parser) jsonText(x *scratch, r *event.Record, text string, depth int, out *event.Event) Verdict {
	if depth == maxNesting {
		return Verdict{Reason: UnknownShape}
	}
	start := len(x.documents)
	fields, ok := x.json.flatten(x.arena, x.documents, text, event.MaxFields)
	x.documents = fields
	if !ok {
		return Verdict{Dialect: p.force, Reason: BadJSON}
	}
	cut := x.json.cut
	v := p.document(x, r, fields[start:], depth+1, out)
	v.Cut = v.Cut || cut
	return v
}

// syslogLine reads a line of syslog: RFC 5424, or what older programs write.
func (p *Parser) syslogLine(x *scratch, r *event.Record, line string, out *event.Event) Verdict {
	var f frame
	reason := x.parse5424(&f, line)
	if reason == OK {
		return p.decnet(x, &f, r, out)
	}
	if reason == BadHeader && parse3164(&f, line) {
		if f.wrapping() {
			if reason := x.parseWrapped(&f); reason != OK {
				return Verdict{Dialect: Native, Reason: reason}
			}
		}
		return p.decnet(x, &f, r, out)
	}
	if reason == BadHeader && line[0] != '<' {
		return Verdict{Reason: UnknownShape}
	}
	return Verdict{Dialect: DECNET, Reason: reason}
}

// splitLine reads a line that Fluent Bit's syslog-rfc5424 or syslog-rfc3164
// parser took apart. The former looks for the end of the structured data by
// "]" alone, so both parts are put together again and read by the grammar.
func (p *Parser) splitLine(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	var f frame
	var data, msg string
	for i := range fields {
		// Only the parser for RFC 5424 has a field for it.
		f.container = f.container || fields[i].Key == "msgid"
		value := fields[i].Value
		if value == "-" && fields[i].Key != "extradata" {
			continue
		}
		switch fields[i].Key {
		case "time":
			if f.wall, _, f.walled = cutBSDTime(x.arena.Join(value, " ")); !f.walled {
				f.time = value
			}
			f.timed = value != ""
		case "host":
			f.host = value
		case "ident":
			f.app = value
		case "pid":
			f.proc = value
		case "msgid":
			f.msgID = value
		case "extradata":
			data = value
		case "message":
			msg = value
		}
	}
	if len(data)+len(msg) > MaxText {
		return Verdict{Dialect: Native, Reason: TooLarge}
	}
	reason := OK
	if data == "" {
		f.msg = strings.TrimSpace(msg)
	} else {
		if msg != "" {
			data = x.arena.Join(data, " ", msg)
		}
		reason = x.parseBody(&f, data)
	}
	if reason == OK && f.wrapping() {
		reason = x.parseWrapped(&f)
	}
	if reason != OK {
		return Verdict{Dialect: DECNET, Reason: reason}
	}
	return p.decnet(x, &f, r, out)
}
