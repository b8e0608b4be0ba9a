package sensors

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/profile/rules"
	"dossier/testbed/e2e"

	"go.yaml.in/yaml/v3"
)

// cell is one record by which a sensor tells something on a channel of the rules.
type cell struct {
	Sensor  string `yaml:"sensor"`
	Channel string `yaml:"channel"`
	// Says is what has to arrive there, Also are the channels where it arrives too:
	// a command that was taken out of something else is read as one.
	Says string   `yaml:"says"`
	Also []string `yaml:"also"`
	// From is the file under testbed/data that has the record, in the first line
	// with all of Line; or Record is the record itself, and Origin what it is made from.
	From   string   `yaml:"from"`
	Line   []string `yaml:"line"`
	Record string   `yaml:"record"`
	Origin string   `yaml:"origin"`
}

// channelRows are the rows of the table, with how each sensor's records are read.
var channelRows = []struct {
	name, text string
	maps       []string
	options    dialect.Options
	record     bool
}{
	{name: "decnet", text: "[DECNET](#decnet)"},
	{name: "cowrie", text: "[Cowrie](#cowrie)"},
	{name: "opencanary", text: "[OpenCanary](#opencanary)"},
	{name: "suricata", text: "[Suricata](#suricata)"},
	{name: "ecs", text: "[ECS](#ecs)", maps: []string{"beelzebub"}},
	{name: "dionaea", text: "[Dionaea](#dionaea)", maps: []string{"dionaea"}},
	{name: "heralding", text: "[Heralding](#heralding)", maps: []string{"heralding"}},
	{name: "beelzebub", text: "[Beelzebub](#beelzebub)", maps: []string{"beelzebub"}},
	{name: "tpot", text: "[T-Pot](#t-pot)'s others", maps: []string{"beelzebub", "tpot"}},
	{name: "syslog", text: "[sshd, PAM, bash](#native-syslog)", options: dialect.Options{DropApps: []string{"rsyslogd"}}},
	{name: "journald", text: "[the journal](#systemds-journal)", options: dialect.Options{DropApps: []string{"rsyslogd"}}, record: true},
}

// channelColumn is a column of the table.
type channelColumn struct {
	name, text string
	// channel and field are the rules' words; condition is the one of channels on
	// which no text is looked at.
	channel, field, condition string
}

// channelTables are the columns, in tables that fit on a page.
var channelTables = []struct {
	title   string
	columns []channelColumn
}{
	{"Web requests, and the APIs that are asked by them", []channelColumn{
		{"path", "method, path", "http", "path", ""},
		{"query", "query", "http", "query", ""},
		{"header", "headers", "http", "header", ""},
		{"agent", "user agent", "http", "agent", ""},
		{"body", "body", "http", "body", ""},
		{"docker", "Docker", "docker", "text", ""},
		{"kubernetes", "Kubernetes", "kubernetes", "text", ""},
		{"elasticsearch", "Elasticsearch", "elasticsearch", "text", ""},
	}},
	{"Commands and operations", []channelColumn{
		{"shell", "shell", "shell", "line", ""},
		{"sql", "SQL", "sql", "text", ""},
		{"redis", "Redis", "redis", "text", ""},
		{"mongodb", "MongoDB", "mongodb", "text", ""},
		{"memcached", "Memcached", "memcached", "text", ""},
		{"ftp", "FTP, TFTP", "ftp", "text", ""},
		{"git", "Git", "git", "text", ""},
		{"ldap", "LDAP", "ldap", "text", ""},
		{"snmp", "SNMP", "snmp", "text", ""},
		{"sip", "SIP", "sip", "text", ""},
		{"ics", "Modbus, S7 …", "ics", "text", ""},
		{"data", "others", "data", "text", ""},
	}},
	{"Mail, files, logins and signatures", []channelColumn{
		{"mail", "mail: commands", "mail", "text", ""},
		{"recipient", "recipients' domains", "recipient", "", "service|contains: [smtp]"},
		{"message", "accepted mails", "message", "", "service|contains: [smtp]"},
		{"file", "names on shares", "file", "text", ""},
		{"artifact", "files and URLs", "artifact", "text", ""},
		{"login", "user names", "login", "text", ""},
		{"alert", "signatures", "alert", "text", ""},
	}},
}

func (c channelColumn) rule(id, says string) string {
	when := c.condition
	if c.field != "" {
		when = c.field + "|contains: [" + strconv.Quote(says) + "]"
	}
	return fmt.Sprintf("  - {id: %s-%s, name: hears, channel: %s, when: {%s}, software: {name: probe-%s, type: tool}, stage: looking, severity: low}\n",
		id, c.name, c.channel, strings.Replace(when, "|contains: ", "|contains\": ", 1), id)
}

// TestChannels reads a record for each thing that a sensor can tell, asks on which
// of the rules' channels it arrives, and holds the table in docs/sensors.md against that.
func TestChannels(t *testing.T) {
	var data struct {
		Cells []cell `yaml:"cells"`
	}
	text, err := os.ReadFile(e2e.Data("channels", "records.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	tells := map[[2]string]bool{}
	for _, row := range channelRows {
		var cells []cell
		for _, c := range data.Cells {
			if c.Sensor == row.name {
				cells = append(cells, c)
			}
		}
		t.Run(row.name, func(t *testing.T) {
			set := hearing(t, cells)
			o := row.options
			o.DecoyNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.99.0.2/32"), netip.MustParsePrefix("10.99.0.10/32")}
			for _, name := range row.maps {
				in, err := os.Open(conf("field_maps/" + name + ".yaml"))
				if err != nil {
					t.Fatal(err)
				}
				maps, err := dialect.ReadFieldMaps(in)
				in.Close()
				if err != nil {
					t.Fatal(err)
				}
				o.FieldMaps = append(o.FieldMaps, maps...)
			}
			p, err := dialect.New(o)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range cells {
				c.heard(t, p, set, i, row.record)
				tells[[2]string{c.Sensor, c.Channel}] = true
			}
		})
	}
	page := readPage(t)
	page.holds(t, "channels", channelsTable(tells))
	page.write(t)
	if known := len(data.Cells); known < 100 {
		t.Errorf("%d records", known)
	}
}

// hearing returns rules that say on which channel each cell's text arrives.
func hearing(t *testing.T, cells []cell) *rules.Set {
	t.Helper()
	var b strings.Builder
	b.WriteString("topic: what arrives where\nrules:\n")
	for i, c := range cells {
		for _, table := range channelTables {
			for _, column := range table.columns {
				b.WriteString(column.rule("c"+strconv.Itoa(i), c.Says))
			}
		}
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(b.String(), "when: {", `when: {"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.New(rules.Options{Rules: path})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// heard checks on which channels a cell's text arrives.
func (c cell) heard(t *testing.T, p *dialect.Parser, set *rules.Set, i int, record bool) {
	t.Helper()
	line := c.Record
	if c.From != "" {
		for _, l := range e2e.Lines(t, e2e.Data(filepath.Split(c.From))) {
			if !slices.ContainsFunc(c.Line, func(part string) bool { return !strings.Contains(l, part) }) {
				line = l
				break
			}
		}
	}
	if line == "" || (c.From == "") == (c.Origin == "") {
		t.Errorf("%s, %s: there must be a record, and where it comes from", c.Sensor, c.Channel)
		return
	}
	r := event.Record{Time: event.FromTime(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)), Fields: []event.Field{{Key: "log", Value: line}}}
	if record {
		r.Fields = nil
		for key, value := range body(t, "systemd", line).(map[string]any) {
			if s, ok := value.(string); ok {
				r.Fields = append(r.Fields, event.Field{Key: key, Value: s})
			}
		}
	}
	var a event.Arena
	var ev event.Event
	if v := p.Parse(&a, &r, &ev); v.Class() != dialect.Parsed {
		t.Errorf("%s, %s: not read: %v: %.300s", c.Sensor, c.Channel, v.Reason, line)
		return
	}
	set.Annotate(&a, &ev)
	var on []string
	for _, e := range ev.Evidence {
		if name, ok := strings.CutPrefix(e.A, "c"+strconv.Itoa(i)+"-"); ok && e.Kind == event.Conclusion {
			on = append(on, name)
		}
	}
	// Where mail is about domains, they are looked for in what is kept.
	if c.Channel == "recipient" || c.Channel == "message" {
		if !slices.ContainsFunc(ev.Evidence, func(e event.Evidence) bool {
			return (e.Kind == event.Recipient || e.Kind == event.Message) && e.A == c.Says
		}) {
			t.Errorf("%s, %s: no domain %q: %.300s", c.Sensor, c.Channel, c.Says, line)
		}
	}
	want := append([]string{c.Channel}, c.Also...)
	slices.Sort(on)
	slices.Sort(want)
	if !slices.Equal(on, want) {
		t.Errorf("%s, %s: %q arrives on %v, want %v: %.300s", c.Sensor, c.Channel, c.Says, on, want, line)
	}
}

// channelsTable writes what each sensor can tell.
func channelsTable(tells map[[2]string]bool) string {
	var b strings.Builder
	for _, table := range channelTables {
		fmt.Fprintf(&b, "**%s**\n\n| |", table.title)
		rule := "|---|"
		for _, c := range table.columns {
			fmt.Fprintf(&b, " %s |", c.text)
			rule += ":-:|"
		}
		b.WriteString("\n" + rule + "\n")
		for _, row := range channelRows {
			fmt.Fprintf(&b, "| %s |", row.text)
			for _, c := range table.columns {
				mark := " "
				if tells[[2]string{row.name, c.name}] {
					mark = " ✓ "
				}
				b.WriteString(mark + "|")
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
