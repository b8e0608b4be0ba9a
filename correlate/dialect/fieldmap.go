package dialect

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"

	"go.yaml.in/yaml/v3"
)

// maxFieldMaps bounds the field maps of one file.
const maxFieldMaps = 64

// FieldMap teaches a Parser a sensor that writes flat JSON: by which fields a
// record is known, and which field means what. Nested objects are flattened
// with dots, array elements numbered from 0.
type FieldMap struct {
	// Name is the sensor's name, in lower case.
	Name string `yaml:"name"`
	// Match has the fields a record must have, with their values; a "*" at a
	// value's end stands for anything. All must hold. Of several maps that know
	// a record the first one reads it.
	Match map[string]string `yaml:"match"`
	// Dialect names the dialect that reads the record, in place of the map's
	// own fields: for a sensor's records among those of a collection.
	Dialect string `yaml:"dialect"`
	// Fields says where what stands.
	Fields FieldNames `yaml:"fields"`
	// Fingerprints has the fields of fingerprints by their types ("ja3",
	// "hassh").
	Fingerprints map[string]Names `yaml:"fingerprints"`
	// Set has values for what no field says: decky, service, type,
	// secret_kind, outcome.
	Set map[string]string `yaml:"set"`
	// Services renames services.
	Services map[string]string `yaml:"services"`
	// Types says what the values of the type field mean: noise, scan, recon,
	// login, command, transfer, interaction, contact (the decoy opened the
	// connection), or drop. A type that isn't named is judged by what the record
	// has.
	Types map[string]string `yaml:"types"`
	// Success and Failure are the words of the outcome field, beside the
	// usual ones.
	Success Names `yaml:"success"`
	Failure Names `yaml:"failure"`
	// Handshake names the services whose events come after a TCP handshake;
	// "*" stands for all.
	Handshake Names `yaml:"handshake"`
	// Absent has values that mean that there is none; a "*" at the end stands
	// for anything.
	Absent Names `yaml:"absent"`
}

// FieldNames has the fields for each meaning; of several the first one that
// says something counts. A "*" in the names of logins and commands stands for the
// number of an array's element: each element is a login or command of its own.
type FieldNames struct {
	Time    Names `yaml:"time"`
	Address Names `yaml:"address"`
	Decoy   Names `yaml:"decoy"` // the decoy's address
	Decky   Names `yaml:"decky"` // the decoy's name
	Service Names `yaml:"service"`
	Port    Names `yaml:"port"` // the decoy's port, where no service is named
	// Transport is what the service ran over: only over TCP is there a
	// handshake.
	Transport  Names `yaml:"transport"`
	Type       Names `yaml:"type"`
	Session    Names `yaml:"session"`
	Principal  Names `yaml:"principal"`
	Secret     Names `yaml:"secret"`
	SecretKind Names `yaml:"secret_kind"`
	Outcome    Names `yaml:"outcome"`
	Command    Names `yaml:"command"`
	Arguments  Names `yaml:"arguments"` // what follows the command, all of it
	SHA256     Names `yaml:"sha256"`
	URL        Names `yaml:"url"`
	UserAgent  Names `yaml:"user_agent"`
	Method     Names `yaml:"method"`
	Path       Names `yaml:"path"`
	Query      Names `yaml:"query"` // of the request, where path lacks it
	Referrer   Names `yaml:"referrer"`
	Body       Names `yaml:"body"` // what a request brings along
	// Headers has the names of a request's headers, with a "*" at the end where each
	// has its own.
	Headers Names `yaml:"headers"`
	// Request is a request as it was sent, line, headers and body.
	Request Names `yaml:"request"`
	Size    Names `yaml:"size"`
	// Forwarded is the address that the request's own headers claim,
	// Authorization the header with which it logs in.
	Forwarded     Names `yaml:"forwarded"`
	Authorization Names `yaml:"authorization"`
	// Alert is a signature that matched, with its category and severity (1
	// is worst), Technique the start of the names with ATT&CK techniques.
	Alert     Names `yaml:"alert"`
	Category  Names `yaml:"category"`
	Severity  Names `yaml:"severity"`
	Technique Names `yaml:"technique"`
}

// each calls do with the names of each meaning and the key they stand under.
func (f *FieldNames) each(do func(key string, names Names)) {
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		do(v.Type().Field(i).Tag.Get("yaml"), v.Field(i).Interface().(Names))
	}
}

// Names is a list of names; in YAML one name may stand alone.
type Names []string

// UnmarshalYAML reads a name or a list of names.
func (n *Names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*n = Names{node.Value}
		return nil
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return err
	}
	*n = list
	return nil
}

// ReadFieldMaps reads field maps from YAML, one a document. Names it doesn't
// know are errors.
func ReadFieldMaps(r io.Reader) ([]FieldMap, error) {
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	var all []FieldMap
	for len(all) <= maxFieldMaps {
		var m FieldMap
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) {
			if len(all) == 0 {
				return nil, errors.New("no field map in it")
			}
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("field map %d: %w", len(all)+1, err)
		}
		if err := m.validate(); err != nil {
			return nil, fmt.Errorf("field map %d (%q): %w", len(all)+1, m.Name, err)
		}
		all = append(all, m)
	}
	return nil, fmt.Errorf("more than %d field maps", maxFieldMaps)
}

// meanings are the words of FieldMap.Types.
var meanings = map[string]class{
	"noise": noise, "scan": scan, "recon": recon, "login": login, "command": command, "transfer": exfil,
	"interaction": interaction,
}

// The words of FieldMap.Types that are no class.
const (
	dropWord    = "drop"
	contactWord = "contact"
)

// settable are the names of FieldMap.Set.
var settable = []string{"decky", "service", "type", "secret_kind", "outcome"}

func (m *FieldMap) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if m.Name == "" || strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		bad("name is %q: it must be lower-case letters, digits, - and _", m.Name)
	}
	if len(m.Match) == 0 {
		bad(`match is empty: name the fields that tell this sensor's records from others, as "field: value" or "field: '*'"`)
	}
	switch {
	case m.Dialect != "":
		if d, ok := dialectNamed(m.Dialect); !ok || d == None {
			bad("dialect is %q: it must be one of %s", m.Dialect, strings.Join(dialectNames()[1:], ", "))
		}
		m.Fields.each(func(key string, names Names) {
			if len(names) > 0 {
				bad("fields.%s stands beside a dialect, which knows itself what means what", key)
			}
		})
	case len(m.Fields.Address) == 0:
		bad("fields.address is missing: name the field with the attacker's address")
	}
	for _, name := range m.Fields.Address {
		if containsFold(name, "forwarded") || containsFold(name, "x-real-ip") {
			bad("fields.address is %q: a client can write there whom he likes; name it under forwarded", name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Types)) {
		if _, ok := meanings[m.Types[key]]; !ok && m.Types[key] != dropWord && m.Types[key] != contactWord {
			bad("types.%s is %q: it must be one of %s, %s, %s", key, m.Types[key],
				strings.Join(slices.Sorted(maps.Keys(meanings)), ", "), contactWord, dropWord)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Set)) {
		if !slices.Contains(settable, key) {
			bad("set.%s: only %s can be set", key, strings.Join(settable, ", "))
		}
	}
	if word := m.Set["outcome"]; word != "" && m.outcome(word) == event.Unknown {
		bad("set.outcome is %q: it must be success, failure or one of the words under success and failure", word)
	}
	if slices.Contains(m.Absent, "*") {
		bad(`absent has "*": then nothing would ever be there`)
	}
	m.Fields.each(func(key string, names Names) {
		several := key == "principal" || key == "secret" || key == "command" || key == "arguments"
		for _, name := range names {
			switch stars := strings.Count(name, "*"); {
			case name == "":
				bad("fields.%s has an empty name", key)
			case key == "headers":
				if stars != 1 || !strings.HasSuffix(name, "*") {
					bad(`fields.headers is %q: it must end with a "*", which stands for the header's name`, name)
				}
			case stars > 0 && !several:
				bad(`fields.%s is %q: a "*" can stand for an array's elements in principal, secret, command and arguments only`, key, name)
			case stars > 1:
				bad(`fields.%s is %q: only one "*" can stand in a name`, key, name)
			}
		}
	})
	for _, kind := range slices.Sorted(maps.Keys(m.Fingerprints)) {
		if kind == "" || len(kind) > 32 || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			bad("fingerprints.%s: a type is lower-case letters, digits and _", kind)
		}
	}
	return errors.Join(errs...)
}

// fieldMap is a FieldMap made ready.
type fieldMap struct {
	FieldMap
	// place is the map's place among all: the first one that matches reads a
	// record.
	place int
	// as is the dialect that reads the record, None where the map does.
	as           Dialect
	types        map[string]class
	drop         map[string]bool
	contact      map[string]bool
	fingerprints []fingerprintField
	handshake    map[string]bool
	anyHandshake bool
}

type fingerprintField struct {
	kind   string
	fields Names
}

// fieldMaps finds the field map of a record by the names of its fields.
type fieldMaps struct {
	any   bool
	byKey map[string][]*fieldMap
}

func newFieldMaps(list []FieldMap) fieldMaps {
	f := fieldMaps{any: len(list) > 0, byKey: make(map[string][]*fieldMap)}
	for i := range list {
		m := prepare(list[i])
		m.place = i
		// Any of the fields could be the key; one is enough, since all must
		// be there.
		key := slices.Sorted(maps.Keys(m.Match))[0]
		f.byKey[key] = append(f.byKey[key], m)
	}
	return f
}

func prepare(source FieldMap) *fieldMap {
	m := &fieldMap{FieldMap: source, types: map[string]class{}, drop: map[string]bool{}, contact: map[string]bool{}, handshake: map[string]bool{}}
	if source.Dialect != "" {
		m.as, _ = dialectNamed(source.Dialect)
	}
	for kind, word := range source.Types {
		switch word {
		case dropWord:
			m.drop[kind] = true
		case contactWord:
			m.contact[kind] = true
		default:
			m.types[kind] = meanings[word]
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(source.Fingerprints)) {
		m.fingerprints = append(m.fingerprints, fingerprintField{kind, source.Fingerprints[kind]})
	}
	for _, service := range source.Handshake {
		m.handshake[service] = true
	}
	m.anyHandshake = m.handshake["*"]
	return m
}

// find returns the first field map that knows a record by one of its names,
// best where that is none or comes later.
func (f *fieldMaps) find(best *fieldMap, fields []event.Field, key string) *fieldMap {
	for _, m := range f.byKey[key] {
		if best != nil && best.place <= m.place {
			break
		}
		if m.matches(fields) {
			return m
		}
	}
	return best
}

func (m *fieldMap) matches(fields []event.Field) bool {
	for key, want := range m.Match {
		if !slices.ContainsFunc(fields, func(f event.Field) bool { return f.Key == key && fits(f.Value, want) }) {
			return false
		}
	}
	return true
}

// fits says whether value is want, or starts with what stands before its "*".
func fits(value, want string) bool {
	if start, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(value, start)
	}
	return value == want
}

// mapped reads a document by a field map.
func (p *Parser) mapped(x *scratch, r *event.Record, fields []event.Field, m *fieldMap, out *event.Event) Verdict {
	x.document(fields)
	x.custom = m
	v := Verdict{Dialect: Mapped}
	if m == &ecsMap {
		v.Dialect = ECS
	}
	n := &m.Fields
	kind := m.or("type", x.says(m, n.Type))
	if m.drop[kind] {
		v.Reason = SensorReport
		return v
	}
	var sensor ecsSensor
	if m == &ecsMap {
		if sensor = x.ecsSensor(); sensor.report {
			v.Reason = SensorReport
			return v
		}
	}
	class, typed := m.types[kind]
	meaning := sensor.meaning
	if meaning == "" {
		meaning = x.meaning(m)
	}
	if !typed {
		class = classify(ECS, meaning)
	}
	if kind == "" {
		kind = meaning
	}
	f, reason := p.mappedSides(x, m)
	if reason != OK {
		if reason == NoAddress && class.Kind == event.Noise {
			reason = SensorEvent
		}
		v.Reason = reason
		return v
	}
	if m == &ecsMap && x.retold(f.attacker) {
		v.Reason = Ambiguous
		return v
	}
	out.Addr = f.attacker
	v.ClockSkew = x.mappedTime(out, r, n.Time)
	out.Type = x.arena.Name(kind, event.MaxService)
	decky := m.or("decky", x.says(m, n.Decky))
	if m == &ecsMap {
		decky = x.ecsDecky(x.networkSensor())
	}
	if decky == "" && f.decoy.IsValid() {
		decky = p.decoyName(x, f.decoy)
	}
	out.Decky = p.decky(x, decky)
	if f.opened || m.contact[kind] {
		x.contact(out.Decky, func() { x.mappedServed(m) }, out)
		return v
	}
	out.Kind, out.Phase = class.Kind, class.Phase
	service := m.or("service", x.says(m, n.Service))
	if renamed, ok := m.Services[service]; ok {
		service = renamed
	}
	if service == "" {
		service = sensor.service
	}
	if port := portService(x.says(m, n.Port)); service == "" || m == &ecsMap && service == "http" && port == "https" {
		service = port
	}
	if service == "" && m == &ecsMap && x.ofWeb() {
		service = "http"
	}
	service = x.lower(service)
	out.Service = x.arena.Name(service, event.MaxService)
	connected := m == &ecsMap && (class.Established || sensor.tcp) && !sensor.forgeable && (sensor.tcp || x.overTCP(service))
	if !f.doubtful && (connected || (m.anyHandshake || m.handshake[service]) && x.streams(m)) {
		out.Proof = event.ByConnection
	}
	for _, key := range n.Size {
		if size, ok := x.int(key); ok && size >= mebibyte {
			out.Large = true
		}
	}
	x.protocol = redact.Named(service)
	if class.Login || !typed && sensor.meaning == "" && x.tries(m) {
		x.mappedLogins(m)
	}
	if class.Command || !typed {
		x.mappedCommands(m)
	}
	x.mappedEvidence(m, class, f.attacker)
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// streams says whether a record came over TCP. Where its map names a field for
// that, the field must say so, each of its elements where it is a list: a
// record without it proves nothing.
func (x *scratch) streams(m *fieldMap) bool {
	names := m.Fields.Transport
	if len(names) == 0 {
		return true
	}
	told, tcp := x.transport(m, names)
	return told && tcp
}

// transport returns whether one of the parameters tells what a record came over,
// and whether that is TCP and nothing else.
func (x *scratch) transport(m *fieldMap, names Names) (told, tcp bool) {
	for _, name := range names {
		tcp = true
		for i := range x.params {
			f := &x.params[i]
			if element, ok := strings.CutPrefix(f.Key, name); !ok || element != "" && (element[0] != '.' || !isNumber(element[1:])) {
				continue
			}
			if f.Value == "" || m.absent(f.Value) {
				continue
			}
			told = true
			switch x.lower(f.Value) {
			case "tcp", "tcp4", "tcp6", "tls", "ssl", "6":
			default:
				tcp = false
			}
		}
		if told {
			return told, tcp
		}
	}
	return false, false
}

// or returns value, or what the map sets for name where there is none.
func (m *fieldMap) or(name, value string) string {
	if value == "" {
		return m.Set[name]
	}
	return value
}

// meaning judges a record by what it has.
func (x *scratch) meaning(m *fieldMap) string {
	n := &m.Fields
	switch {
	case m == &ecsMap && x.authenticates():
		return "login"
	case x.has(m, n.Command), m == &ecsMap && x.wireQuery() != "":
		return "command"
	case x.tries(m):
		return "login"
	case x.has(m, n.SHA256):
		return "file"
	case x.has(m, n.UserAgent), x.has(m, n.Method), m == &ecsMap && x.asksWeb():
		return "request"
	case m == &ecsMap && x.get("dns.question.name") != "":
		return "query"
	default:
		return "connection"
	}
}

// tries says whether a record shows a login: a secret, or a name in an array
// of logins.
func (x *scratch) tries(m *fieldMap) bool {
	n := &m.Fields
	return x.has(m, n.Secret) || n.Secret.elements() && x.has(m, n.Principal)
}

// says returns the first of the parameters that says something.
func (x *scratch) says(m *fieldMap, names Names) string {
	for _, name := range names {
		if v := x.get(name); v != "" && !m.absent(v) {
			return v
		}
	}
	return ""
}

func (m *fieldMap) absent(value string) bool {
	for _, want := range m.Absent {
		if fits(value, want) {
			return true
		}
	}
	return false
}

// has says whether one of the parameters says something; of an array the
// first element decides.
func (x *scratch) has(m *fieldMap, names Names) bool {
	v, ok := x.element(m, names, 0)
	return ok && v != ""
}

// element returns the first parameter of names that is there, a "*" in them
// replaced by number.
func (x *scratch) element(m *fieldMap, names Names, number int64) (string, bool) {
	for _, name := range names {
		if star := strings.IndexByte(name, '*'); star >= 0 {
			x.name = append(x.name[:0], name[:star]...)
			x.name = append(strconv.AppendInt(x.name, number, 10), name[star+1:]...)
			name = event.View(x.name) // to look up alone
		}
		if v, ok := x.lookup(name); ok && !m.absent(v) {
			return v, true
		}
	}
	return "", false
}

// elements says whether names stand for the elements of an array.
func (n Names) elements() bool {
	return slices.ContainsFunc(n, func(name string) bool { return strings.Contains(name, "*") })
}

// mappedSides tells the attacker from the decoy, whose address a record may
// not have.
func (p *Parser) mappedSides(x *scratch, m *fieldMap) (f flow, reason Reason) {
	n := &m.Fields
	text, named := "", false
	for _, key := range n.Address {
		if text, named = x.lookup(key); named {
			break
		}
	}
	addr, reason := attacker(text, named)
	if reason != OK {
		return flow{}, reason
	}
	decoy, known := event.ParseAddress(x.says(m, n.Decoy))
	if p.nobody(addr) || known && (p.nobody(decoy) || p.likeBroadcast(decoy) || addr == decoy && !addr.IsLoopback()) {
		return flow{}, DecoysOnly // on loopback somebody may come through a tunnel
	}
	switch {
	case m == &ecsMap && known && x.networkSensor():
		return p.sides(addr, decoy, x.ecsOpener(addr, decoy))
	case m == &ecsMap && known && x.outbound():
		// Whichever end is the decoy's, its host opened the connection.
		return p.sides(addr, decoy, bySource|byDestination)
	case !within(addr, p.decoys):
		// A decoy's own sensor knows who came; its address may be another
		// one outside.
		return flow{attacker: addr, decoy: decoy, sent: true}, OK
	case known && !within(decoy, p.decoys):
		return flow{attacker: decoy, decoy: addr, opened: true}, OK
	default:
		return flow{}, DecoysOnly
	}
}

// mappedTime sets the event's time from an ISO 8601 time stamp or a number of
// seconds, milliseconds or microseconds since 1970, told apart by its size.
func (x *scratch) mappedTime(out *event.Event, r *event.Record, names Names) (skewed bool) {
	text := x.first(names...)
	own, known := parseTime(text)
	if !known {
		own, known = parseEpoch(text)
	}
	out.Time, skewed = settle(own, known, r.Time, x.parser.latest)
	return skewed && (text != "" || x.text)
}

// parseEpoch reads a number of seconds, milliseconds or microseconds.
func parseEpoch(s string) (event.Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) < 9 || len(whole) > 16 {
		return event.Never, false
	}
	n, ok := digits(whole, 0, len(whole))
	if !ok {
		return event.Never, false
	}
	unit := int64(1)
	switch {
	case len(whole) <= 11:
		unit = 1e6
	case len(whole) <= 14:
		unit = 1e3
	}
	t := n * unit
	for i := 0; i < len(frac) && unit > 1; i++ {
		d, ok := digits(frac, i, 1)
		if !ok {
			return event.Never, false
		}
		unit /= 10
		t += d * unit
	}
	return event.Time(t), true
}

// mappedCommands adds a record's commands: one, or one for each element of the
// array its names stand for.
func (x *scratch) mappedCommands(m *fieldMap) {
	n := &m.Fields
	if m == &ecsMap {
		x.command(x.wireQuery())
	}
	for i := range int64(maxCommands) {
		line, ok := x.element(m, n.Command, i)
		if !ok {
			return
		}
		for _, name := range n.Arguments {
			argument, _ := x.element(m, Names{name}, i)
			line = x.join(line, argument)
		}
		x.keyStoreLogin(line)
		x.command(line)
		if !n.Command.elements() {
			return
		}
	}
}

// mappedEvidence adds what a record shows beside logins and commands.
func (x *scratch) mappedEvidence(m *fieldMap, class class, own netip.Addr) {
	n := &m.Fields
	x.session(x.says(m, n.Session))
	x.mappedRequest(m)
	x.saidRequest(x.says(m, n.Method), x.says(m, n.Path), x.says(m, n.Query), x.says(m, n.Body))
	x.saidHeader("Referer", x.says(m, n.Referrer))
	x.mappedHeaders(m)
	x.saidRaw(x.says(m, n.Request), event.SaidText)
	if claimed := x.says(m, n.Forwarded); claimed != "" {
		x.claim("X-Forwarded-For", claimed, own)
	}
	for i := range m.fingerprints {
		f := &m.fingerprints[i]
		x.fingerprint(f.kind, x.says(m, f.fields))
	}
	digest, url := "", x.mappedURL(m)
	for _, key := range n.SHA256 {
		if digest = x.digest(key); digest != "" {
			break
		}
	}
	if digest != "" || class.Phase == event.Exfil && !class.Command {
		x.file(digest, url, "file")
	}
	if signature := x.says(m, n.Alert); signature != "" {
		e := event.Evidence{Kind: event.Alert, A: x.value(signature), B: x.value(x.says(m, n.Category))}
		e.N, _ = parseInt(x.says(m, n.Severity))
		x.add(e)
		x.techniques(signature, func(key string) bool {
			return slices.ContainsFunc(n.Technique, func(name string) bool {
				rest, ok := strings.CutPrefix(key, name)
				return ok && (rest == "" || rest[0] == '.')
			})
		})
		eve := ""
		if m == &ecsMap {
			eve = eveName + "alert."
		}
		x.vulnerabilities(signature, eve)
	}
}

// mappedRequest adds what a record shows of a request. Whoever names no
// software asked for something all the same.
func (x *scratch) mappedRequest(m *fieldMap) {
	n := &m.Fields
	agent, method, path := x.says(m, n.UserAgent), x.says(m, n.Method), x.says(m, n.Path)
	x.agent(agent, method, path)
	if agent == "" && path != "" && m != &ecsMap {
		if method != "" {
			path = x.arena.Join(method, " ", path)
		}
		x.fingerprint("http_request", x.webPath(path))
	}
	if m == &ecsMap {
		x.sipRequest(x.first("sip.method", eveName+"sip.method"), x.first("sip.uri.original", eveName+"sip.uri"))
	}
	if value := x.says(m, n.Authorization); value != "" {
		x.authorization(value, credential{})
	}
}

// mappedHeaders adds the headers in the objects that a map names. The client names
// them: rules see them as what was sent, and nothing else is made of their names.
func (x *scratch) mappedHeaders(m *fieldMap) {
	n := 0
	for _, object := range m.Fields.Headers {
		object = strings.TrimSuffix(object, "*")
		for i := range x.params {
			f := &x.params[i]
			name, ok := strings.CutPrefix(f.Key, object)
			if !ok || name == "" || f.Value == "" || m.absent(f.Value) {
				continue
			}
			if dot := strings.LastIndexByte(name, '.'); dot > 0 && isNumber(name[dot+1:]) {
				name = name[:dot] // one of several with that name
			}
			if told(name) {
				if n++; n > maxSaidHeaders {
					return
				}
				x.saidHeader(name, f.Value)
			}
		}
	}
}

// mappedServed adds what a record shows of a server that the decoy contacted.
func (x *scratch) mappedServed(m *fieldMap) {
	n := &m.Fields
	if signature := x.says(m, n.Alert); signature != "" {
		x.contactAlert(signature, x.says(m, n.Category), x.says(m, n.Severity))
	}
	url := x.webPath(x.mappedURL(m))
	for _, key := range n.SHA256 {
		if digest := x.digest(key); digest != "" {
			x.put("url", url)
			x.fingerprint("contact_file", digest)
			break
		}
	}
	x.fingerprint("contact_url", url)
}

// The bounds of what is read from the arrays of one record.
const (
	maxLogins   = 100
	maxCommands = 100
)

// mappedLogins adds a record's logins: one, or one for each element of the
// arrays its names stand for.
func (x *scratch) mappedLogins(m *fieldMap) {
	n := &m.Fields
	several := n.Principal.elements() || n.Secret.elements()
	for i := range int64(maxLogins) {
		c := credential{outcome: m.outcome(m.or("outcome", x.says(m, n.Outcome)))}
		principal, named := x.element(m, n.Principal, i)
		secret, shown := x.element(m, n.Secret, i)
		named = named || shown
		if c.principal = principal; m == &ecsMap {
			c.principal = strings.TrimSpace(principal) // pipelines leave the space behind "invalid user"
		}
		if shown && (secret != "" || principal != "") {
			c.secret = secret
			if c.kind = m.or("secret_kind", x.says(m, n.SecretKind)); c.kind == "" {
				c.kind = plaintext
			}
		}
		if several && !named {
			return
		}
		x.login(c)
		if !several {
			return
		}
	}
}

func (m *FieldMap) outcome(word string) event.Outcome {
	switch {
	case slices.Contains(m.Success, word):
		return event.Success
	case slices.Contains(m.Failure, word):
		return event.Failure
	default:
		return outcomeOf(word)
	}
}

// portService names the service that a port stands for.
func portService(port string) string {
	switch port {
	case "21":
		return "ftp"
	case "22", "2222":
		return "ssh"
	case "23", "2323":
		return "telnet"
	case "25", "587":
		return "smtp"
	case "53":
		return "dns"
	case "69":
		return "tftp"
	case "19":
		return "chargen"
	case "80", "8080":
		return "http"
	case "110":
		return "pop3"
	case "143":
		return "imap"
	case "123":
		return "ntp"
	case "161":
		return "snmp"
	case "389":
		return "ldap"
	case "443", "8443":
		return "https"
	case "445":
		return "smb"
	case "502":
		return "modbus"
	case "631":
		return "ipp"
	case "1433":
		return "mssql"
	case "1883":
		return "mqtt"
	case "1900":
		return "ssdp"
	case "2575":
		return "hl7"
	case "3306":
		return "mysql"
	case "3389":
		return "rdp"
	case "5060":
		return "sip"
	case "5555":
		return "adb"
	case "5432":
		return "postgres"
	case "5900":
		return "vnc"
	case "6379":
		return "redis"
	case "9100":
		return "printer"
	case "9200":
		return "elasticsearch"
	case "11211":
		return "memcached"
	case "27017":
		return "mongodb"
	default:
		return ""
	}
}
