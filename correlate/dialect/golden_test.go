package dialect

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
)

var dataDir = filepath.Join("..", "..", "testbed", "data")

// recordTime is what Fluent Bit would give the records of the sample logs:
// later than all of their lines.
var recordTime = event.FromTime(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))

func readLines(t testing.TB, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var lines []string
	sc := bufio.NewScanner(file)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func newParser(t testing.TB, o Options) *Parser {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func logRecord(line string) *event.Record {
	return &event.Record{Time: recordTime, Fields: []event.Field{{Key: "log", Value: line}}}
}

// intended names the lines that count for us and not, or for nobody, in DECNET
// 1.0.0, by what profile-fields.md says differs on purpose.
func intended(line string) string {
	host, ok := strings.CutPrefix(line, "<134>1 - ")
	switch {
	case ok:
		return "a line without a time of its own has the record's"
	case strings.Contains(line, " - ssh - x ") && !strings.Contains(host, "decky"):
		return "a line without a host still counts"
	case strings.Contains(line, "src=::ffff:"):
		return "a mapped address is the IPv4 address"
	}
	// DECNET's parser stops at the first "]" and loses an address behind it.
	if cut := strings.Index(line, `\]`); cut >= 0 {
		if at := strings.LastIndex(line, `src_ip="`); at > cut {
			return "a \"]\" in a value loses nothing"
		}
	}
	return ""
}

// nobody names the attackers of DECNET 1.0.0 that are none.
func nobody(ip string) string {
	switch {
	case ip == "?":
		return "text that is not an address is nobody"
	case ip == "::ffff:45":
		return "a mapped address is the IPv4 address"
	case strings.HasPrefix(ip, "1.2.3."):
		return "an address is never guessed from command text"
	default:
		return ""
	}
}

func TestDECNETSampleLogs(t *testing.T) {
	tests := []struct {
		name string
		want map[string]int
	}{
		{"2k", map[string]int{
			"parsed/ok": 1914, "dropped/drop_app": 17, "dropped/sensor_report": 3,
			"unattributed/no_address": 38, "unattributed/ownerless_command": 12, "unattributed/sensor_event": 6,
			"unparsed/empty": 8, "unparsed/unknown_shape": 2,
		}},
		{"20k", map[string]int{
			"parsed/ok": 19570, "dropped/drop_app": 25, "dropped/sensor_report": 17,
			"unattributed/no_address": 341, "unattributed/ownerless_command": 20, "unattributed/sensor_event": 4,
			"unparsed/empty": 12, "unparsed/unknown_shape": 11,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := oracleCounts(t, tt.name)
			p := newParser(t, Options{})
			verdicts := map[string]int{}
			got := map[string]int{}
			var a event.Arena
			for _, line := range readLines(t, filepath.Join(dataDir, "decnet", "raw_"+tt.name+".log")) {
				var ev event.Event
				v := p.Parse(&a, logRecord(line), &ev)
				verdicts[v.Class().String()+"/"+v.Reason.String()]++
				if v.Reason == OK && intended(line) == "" {
					got[ev.Addr.String()]++
				}
				if v.Reason == OK && classOf(ev.Type) == nil {
					t.Errorf("event type %q is not in the table", ev.Type)
				}
				a.Reset()
			}
			if !maps.Equal(verdicts, tt.want) {
				t.Errorf("verdicts:\n got %v\nwant %v", verdicts, tt.want)
			}
			for ip, n := range want {
				if got[ip] != n {
					t.Errorf("%s has %d events, want %d", ip, got[ip], n)
				}
			}
			for ip, n := range got {
				if want[ip] == 0 {
					t.Errorf("%s has %d events and is nobody for DECNET", ip, n)
				}
			}
		})
	}
}

// classOf returns the class of a type that the table has, nil otherwise. "x"
// is the sample's made-up type.
func classOf(kind string) *class {
	if c, ok := table[DECNET][kind]; ok || kind == "x" {
		return &c
	}
	return nil
}

// oracleCounts returns the events of each address in the oracle. DECNET takes
// every port of an address for another attacker.
func oracleCounts(t *testing.T, name string) map[string]int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dataDir, "decnet", "oracle_"+name+"_cold.json"))
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Attackers map[string]struct {
			EventCount int `json:"event_count"`
		}
	}
	if err := json.Unmarshal(data, &oracle); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for ip, attacker := range oracle.Attackers {
		if nobody(ip) != "" {
			continue
		}
		if port, err := netip.ParseAddrPort(ip); err == nil {
			ip = port.Addr().String()
		}
		counts[ip] += attacker.EventCount
	}
	return counts
}
