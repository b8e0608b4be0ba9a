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
	"net/netip"
	"slices"
	"strings"
	"sync"

	"dossier/correlate/event"
)

// MaxText is the longest line or document that is read, in bytes.
const MaxText = 2 << 20

// DefaultDropApps are the programs whose lines repeat what a sensor reports
// anyway.
var DefaultDropApps = []string{
	"sshd", "pam_unix", "sudo", "su", "CRON", "cron", "systemd", "kernel", "rsyslogd", "dbus-daemon",
}

// DefaultInternalPrefix starts the names of DECNET's own hosts.
const DefaultInternalPrefix = "decnet-"

// Options say how records are read.
type Options struct {
	// Force is the dialect of all records; "" chooses by shape.
	Force string
	// DropApps are the programs whose syslog lines are dropped; nil means
	// DefaultDropApps.
	DropApps []string
	// InternalDeckyPrefix starts the names of hosts that are no decoys; ""
	// means DefaultInternalPrefix.
	InternalDeckyPrefix string
	// DecoyNets are the decoys' own networks: where a sensor reports both
	// ends of a flow, the attacker is the one outside.
	DecoyNets []netip.Prefix
	// Secrets says how much of a secret is shown.
	Secrets Secrets
}

// Parser reads records. It doesn't change and may be used concurrently.
type Parser struct {
	force    Dialect
	drop     map[string]bool
	internal string
	decoys   []netip.Prefix
	secrets  Secrets
	pool     *sync.Pool
}

// New returns a Parser.
func New(o Options) (*Parser, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.DropApps == nil {
		o.DropApps = DefaultDropApps
	}
	p := &Parser{
		drop:     make(map[string]bool, len(o.DropApps)),
		internal: o.InternalDeckyPrefix,
		decoys:   slices.Clone(o.DecoyNets),
		secrets:  o.Secrets,
		pool:     &sync.Pool{New: func() any { return new(scratch) }},
	}
	if p.internal == "" {
		p.internal = DefaultInternalPrefix
	}
	for _, app := range o.DropApps {
		p.drop[app] = true
	}
	p.force, _ = dialectNamed(o.Force)
	return p, nil
}

func (o *Options) validate() error {
	var errs []error
	if _, ok := dialectNamed(o.Force); !ok {
		errs = append(errs, fmt.Errorf("dialect is %q: it must be one of %s", o.Force, strings.Join(forcible(), ", ")))
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
	if o.Secrets > Hidden {
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
		if d.String() == name {
			return d, true
		}
	}
	return None, false
}

func forcible() []string {
	names := []string{"auto"}
	for d := None + 1; d < dialectCount; d++ {
		names = append(names, d.String())
	}
	return names
}

// Parse reads r into out, whose strings are views of r or live in a. Only
// where the verdict's class is Parsed has out an event.
func (p *Parser) Parse(a *event.Arena, r *event.Record, out *event.Event) Verdict {
	x := p.pool.Get().(*scratch)
	x.arena, x.secrets = a, p.secrets
	*out = event.Event{}
	v := p.parse(x, r, out)
	x.reset()
	p.pool.Put(x)
	return v
}

// The names under which a record may have its line, best first.
var lineKeys = [...]string{"raw_line", "log", "message", "MESSAGE", "msg"}

// shape is what the names of a record's fields say about it.
type shape struct {
	line string
	// rank is the line's place in lineKeys.
	rank   int
	decnet bool // a document of DECNET's collector
	split  bool // a line that Fluent Bit's syslog parser took apart
}

// shapeOf looks at each field once.
func shapeOf(fields []event.Field) shape {
	s := shape{rank: len(lineKeys)}
	var decky, ident, extra bool
	for i := range fields {
		f := &fields[i]
		switch f.Key {
		case "raw_line", "log", "message", "MESSAGE", "msg":
			for rank, key := range lineKeys[:s.rank] {
				if key == f.Key {
					s.rank, s.line = rank, f.Value
					break
				}
			}
		case "decky":
			decky = true
		case "ident":
			ident = true
		case "extradata":
			extra = true
		}
	}
	s.decnet = decky
	s.split = ident && extra
	return s
}

func (p *Parser) parse(x *scratch, r *event.Record, out *event.Event) Verdict {
	s := shapeOf(r.Fields)
	switch {
	case s.decnet:
		return p.decnetDocument(x, r, r.Fields, s, out)
	case s.split:
		return p.splitLine(x, r, out)
	case s.rank == len(lineKeys):
		return Verdict{Reason: UnknownShape}
	default:
		return p.line(x, r, s.line, out)
	}
}

// line reads a record's line of text.
func (p *Parser) line(x *scratch, r *event.Record, line string, out *event.Event) Verdict {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return Verdict{Reason: Empty}
	case len(line) > MaxText:
		return Verdict{Reason: TooLarge}
	case line[0] == '{':
		return p.document(x, r, line, out)
	case line[0] == '<' || strings.HasPrefix(line, bom):
		var f frame
		if reason := x.parse5424(&f, line); reason != OK {
			return Verdict{Dialect: DECNET, Reason: reason}
		}
		return p.decnet(x, &f, r, out)
	default:
		return Verdict{Reason: UnknownShape}
	}
}

// document reads a JSON document that came as text.
func (p *Parser) document(x *scratch, r *event.Record, text string, out *event.Event) Verdict {
	fields, ok := flatten(x.arena, x.document[:0], text, maxFields)
	x.document = fields
	if !ok {
		return Verdict{Reason: BadJSON}
	}
	s := shapeOf(fields)
	if s.decnet {
		return p.decnetDocument(x, r, fields, s, out)
	}
	return Verdict{Reason: UnknownShape}
}

// splitLine reads a line that Fluent Bit's syslog-rfc5424 parser took apart.
// Its pattern looks for the end of the structured data by "]" alone, so both
// parts are put together again and read by the grammar.
func (p *Parser) splitLine(x *scratch, r *event.Record, out *event.Event) Verdict {
	var f frame
	var data, msg string
	for i := range r.Fields {
		value := r.Fields[i].Value
		if value == "-" && r.Fields[i].Key != "extradata" {
			continue
		}
		switch r.Fields[i].Key {
		case "time":
			f.time, f.timed = value, true
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
		return Verdict{Dialect: DECNET, Reason: TooLarge}
	}
	if msg != "" {
		data = x.arena.Join(data, " ", msg)
	}
	if reason := x.parseBody(&f, data); reason != OK {
		return Verdict{Dialect: DECNET, Reason: reason}
	}
	if f.app == wrappedApp && f.proc == "" && f.msgID == "" && !f.relay {
		if reason := x.parseWrapped(&f); reason != OK {
			return Verdict{Dialect: DECNET, Reason: reason}
		}
	}
	return p.decnet(x, &f, r, out)
}

// decnetDocument reads what DECNET's collector made of a line. The line itself
// says more and is read where it is there: the collector cuts the time to
// seconds and loses fields behind a "]".
func (p *Parser) decnetDocument(x *scratch, r *event.Record, fields []event.Field, s shape, out *event.Event) Verdict {
	var f frame
	if s.rank == 0 {
		line := strings.TrimSpace(s.line)
		if len(line) <= MaxText && x.parse5424(&f, line) == OK {
			return p.decnet(x, &f, r, out)
		}
		x.params = x.params[:0]
		f = frame{}
	}
	f.timed = true
	var claimed string
	for i := range fields {
		key, value := fields[i].Key, fields[i].Value
		switch key {
		case "timestamp":
			f.time = value
		case "decky":
			f.host = value
		case "service":
			f.app = value
		case "event_type":
			f.msgID = value
		case "attacker_ip":
			claimed = value
		case "msg":
			f.msg = strings.TrimSpace(value)
		default:
			if name, ok := strings.CutPrefix(key, "fields."); ok && len(x.params) < maxParams {
				x.params = append(x.params, event.Field{Key: name, Value: value})
			}
		}
	}
	for _, field := range [...]*string{&f.time, &f.host, &f.app, &f.msgID} {
		if *field == "-" {
			*field = ""
		}
	}
	if f.msgID == "" && f.app == "" {
		return Verdict{Dialect: DECNET, Reason: NoType}
	}
	// The collector falls back to addresses in the message, so its own word
	// counts only where there is no message.
	if len(x.params) == 0 && f.msg == "" && claimed != "" {
		x.params = append(x.params, event.Field{Key: addressFields[0], Value: claimed})
	}
	f.relay = len(x.params) > 0
	return p.decnet(x, &f, r, out)
}
