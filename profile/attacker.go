package profile

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/behavior"
	"dossier/profile/rules"
)

// AppendAttacker appends the profile of an attacker as one line of JSON.
func (r *Renderer) AppendAttacker(dst []byte, h Head, s *state.Attacker) []byte {
	size := s.Size()
	s = r.prove(s)
	f := r.judge(h, s)
	place, name := r.where(h), r.o.Names.Name(h.Addr)
	r.arena.Reset()
	start := len(dst)
	all := everything
	d := begin(dst)
	r.attacker(&d, h, s, f, &place, name, &all)
	view, allowed := len(d.b)-start, room(state.MaxAttacker)
	if view > allowed {
		allowed = room(size)
	}
	if view > allowed || all.commandBytes > commandBudget {
		var sizes [lists][]int
		r.measure(s, &sizes)
		// What stands in several elements is shown once in the flat lists, so
		// that leaving one out saves less than was measured.
		for over, pass := view-allowed, 0; ; pass++ {
			if pass == maxPasses {
				over = math.MaxInt / 2
			}
			fit := fit(&sizes, over)
			d = begin(d.b[:start])
			r.attacker(&d, h, s, f, &place, name, &fit)
			left := len(d.b) - start - allowed
			if left <= 0 || pass == maxPasses {
				break
			}
			over = max(over, 0) + left + step<<pass
		}
	}
	d.base64("state", h.State)
	d.end()
	return d.b
}

// attacker appends all of the profile but the state and the closing brace.
func (r *Renderer) attacker(d *document, h Head, s *state.Attacker, f *figures, place *Place, name string, p *plan) {
	first, last := s.Seen()
	d.someTime("@timestamp", last)
	d.who(h)
	r.uuid(d, h.ID)
	d.someTime("first_seen", first)
	d.someTime("last_seen", last)
	d.now("updated_at", h.Now)
	d.int("event_count", s.Total())
	r.services(d, s, p)
	r.deckies(d, s, p)
	r.movement(d, s, p)
	r.commands(d, s, p)
	d.int("command_count", s.CommandCount+s.Claimed.Commands)
	r.credentials(d, s, p)
	r.fingerprints(d, s, p)
	r.artifacts(d, s, p)
	r.leaks(d, s, p)
	r.alerts(d, s, p)
	r.claimed(d, s, p)
	d.int("bounty_count", s.Bounties())
	d.int("session_count", s.Sessions.Count())
	if s.LongestSession > 0 {
		d.float("session_longest_s", float64(s.LongestSession)/1000)
	}
	r.part("behavior", d, func() { r.behavior(d, s, f, p) })
	r.part("campaigns", d, func() { r.campaigns(d, s, p) })
	if n := s.Domains.Count(); n > 0 {
		d.int("smtp_domain_count", n)
		if n > state.MaxTargets {
			d.int("smtp_domains_dropped", n-state.MaxTargets)
		}
	}
	d.enriched(place, name)
	d.riskOf(&f.risk)
	r.keys(d, "sensors", &s.Sensors, p.keep[listSensors])
	d.bool("spoofable", !s.Handshake)
	d.object("transitions")
	var crossed [4]state.Transition
	for _, t := range crossings(crossed[:0], s) {
		d.time(t.Action, t.Time)
	}
	d.end()
	r.threat(d, h, s, f, place, p)
	r.related(d, h, s, name, p)
	d.object("event")
	d.string("kind", "enrichment")
	d.strings("category", []string{"threat"})
	d.strings("type", []string{"indicator"})
	d.string("module", "ti_dossier")
	d.string("dataset", "ti_dossier.attackers")
	d.end()
	r.truncated(d, s, p)
	d.schema()
}

func (r *Renderer) services(d *document, s *state.Attacker, p *plan) {
	seen := r.touched(s)
	services := first(seen.services, p.keep[listServices])
	r.names = r.names[:0]
	for i := range services {
		r.names = append(r.names, services[i].Key)
	}
	slices.Sort(r.names)
	d.strings("services", r.names)
	d.int("service_count", seen.serviceCount())
	for _, list := range [...]struct {
		name string
		kind event.Kind
	}{{"services_scanned", event.Scan}, {"services_interacted", event.Interaction}} {
		r.names = r.names[:0]
		for i := range services {
			if event.Kind(services[i].Rank) == list.kind {
				r.names = append(r.names, services[i].Key)
			}
		}
		slices.Sort(r.names)
		d.strings(list.name, r.names)
	}
}

const arrow = " → "

func (r *Renderer) deckies(d *document, s *state.Attacker, p *plan) {
	seen := r.touched(s)
	deckies := r.byFirst(seen.deckies, p.keep[listDeckies])
	d.array("deckies")
	for i := range deckies {
		d.item(deckies[i].Key)
	}
	d.endArray()
	d.int("decky_count", seen.deckyCount())
	d.bool("is_traversal", s.IsTraversal())
	if s.IsTraversal() {
		d.path(r.byFirst(&s.Deckies, p.keep[listDeckies]))
	}
}

// path appends the traversal path.
func (d *document) path(deckies []law.Entry) {
	d.key("traversal_path")
	d.b = append(d.b, '"')
	for i := range deckies {
		if i > 0 {
			d.b = append(d.b, arrow...)
		}
		// The name between the quotes that appendString puts around it.
		at := len(d.b)
		d.b = appendString(d.b, deckies[i].Key)
		copy(d.b[at:], d.b[at+1:len(d.b)-1])
		d.b = d.b[:len(d.b)-2]
	}
	d.b = append(d.b, '"')
}

// move is a move from one decky to another.
type move struct {
	from, to string
	first    event.Time
	count    int64
}

// movement appends how the attacker went from decky to decky: the first
// contacts, the moves between them, the stay on each.
func (r *Renderer) movement(d *document, s *state.Attacker, p *plan) {
	hops := s.Hops.Items()
	hops = hops[:min(len(hops), p.keep[listHops])]
	if len(hops) > 0 {
		d.array("hops")
		for i := range hops {
			d.hop(&hops[i])
		}
		d.endArray()
	}
	r.moves = r.moves[:0]
	for i := 1; i < len(hops); i++ {
		from, to := hops[i-1].A, hops[i].A
		if from == to {
			continue
		}
		known := slices.IndexFunc(r.moves, func(m move) bool { return m.from == from && m.to == to })
		if known < 0 {
			r.moves = append(r.moves, move{from, to, hops[i].Time, 1})
			continue
		}
		r.moves[known].count++
	}
	if s.Deckies.Len() == 0 {
		return
	}
	d.object("movement")
	if len(r.moves) > 0 {
		r.names = r.names[:0]
		for _, m := range r.moves {
			r.names = append(r.names, r.arena.Join(m.from, arrow, m.to))
		}
		slices.Sort(r.names)
		d.strings("edge", r.names)
		d.array("edges")
		for _, m := range r.moves {
			d.element()
			d.string("from", m.from)
			d.string("to", m.to)
			d.time("first", m.first)
			d.int("count", m.count)
			d.end()
		}
		d.endArray()
	}
	d.array("dwell")
	deckies := r.byFirst(&s.Deckies, s.Deckies.Len())
	for i := range deckies[:min(len(deckies), p.keep[listDwell])] {
		d.dwell(&deckies[i])
	}
	d.endArray()
	d.end()
}

func (d *document) hop(h *law.Item) {
	d.element()
	d.time("timestamp", h.Time)
	d.string("decky", h.A)
	d.some("service", h.B)
	d.some("event_type", h.C)
	d.end()
}

func (d *document) dwell(e *law.Entry) {
	d.element()
	d.string("decky", e.Key)
	d.time("first", e.First)
	d.time("last", e.Last)
	d.float("seconds", behavior.Round(float64(e.Last-e.First)/1e6, 3))
	d.int("events", e.Count)
	d.end()
}

// orderedCommands returns the commands kept in the order in which they matter:
// in turn one that a rule knows, two of the newest, one of the first. They are
// valid until the next call.
func (r *Renderer) orderedCommands(s *state.Attacker) []law.Item {
	newest, oldest, known := s.Commands.Items(), s.Commands.Gone(), r.knownCommands(s)
	r.lines = r.lines[:0]
	for len(newest)+len(oldest)+len(known) > 0 {
		if len(known) > 0 {
			service, line, _ := strings.Cut(known[0].Key, "\x00")
			r.lines = append(r.lines, law.Item{Time: known[0].First, A: service, C: line})
			known = known[1:]
		}
		for range 2 {
			if n := len(newest); n > 0 {
				r.lines, newest = append(r.lines, newest[n-1]), newest[:n-1]
			}
		}
		if len(oldest) > 0 {
			r.lines, oldest = append(r.lines, oldest[0]), oldest[1:]
		}
	}
	return r.lines
}

// knownCommands returns the commands that a rule knows and that are neither
// among the newest nor among the first ones.
func (r *Renderer) knownCommands(s *state.Attacker) []law.Entry {
	if !s.Commands.Truncated() || s.Known.Len() == 0 {
		return nil // all are among the newest
	}
	r.names = r.names[:0]
	for _, list := range [2][]law.Item{s.Commands.Items(), s.Commands.Gone()} {
		for i := range list {
			r.names = append(r.names, state.LimitKnown.Key(state.KnownKey(&r.arena, list[i].A, list[i].C)))
		}
	}
	slices.Sort(r.names)
	return slices.DeleteFunc(s.Known.Ordered(), func(e law.Entry) bool {
		_, shown := slices.BinarySearch(r.names, e.Key)
		return shown
	})
}

// commands appends the commands that matter most, oldest first.
func (r *Renderer) commands(d *document, s *state.Attacker, p *plan) {
	items := s.Commands.Items()
	if s.Commands.Truncated() {
		items = r.orderedCommands(s)
		items = items[:min(len(items), p.keep[listCommands])]
		slices.SortFunc(items, law.Item.Compare)
	} else {
		items = items[max(0, len(items)-p.keep[listCommands]):]
	}
	if len(items) == 0 {
		return
	}
	start := len(d.b)
	d.array("commands")
	for i := range items {
		d.command(&items[i])
	}
	d.endArray()
	r.names = r.names[:0]
	for i := range items {
		if indexable(items[i].C) && !slices.Contains(r.names, items[i].C) {
			r.names = append(r.names, items[i].C)
		}
	}
	if len(r.names) > 0 {
		d.object("command")
		d.strings("line", r.names)
		d.end()
	}
	p.commandBytes = len(d.b) - start
}

func (d *document) command(c *law.Item) {
	d.element()
	d.time("timestamp", c.Time)
	d.some("service", c.A)
	d.some("decky", c.B)
	d.string("command", c.C)
	d.end()
}

// credential is a credential's key, taken apart.
type credential struct{ service, principal, kind, digest string }

func credentialOf(key string) (c credential) {
	c.service, key, _ = strings.Cut(key, "\x00")
	c.principal, key, _ = strings.Cut(key, "\x00")
	c.kind, c.digest, _ = strings.Cut(key, "\x00")
	return c
}

// password returns the secret as it may be shown flat.
func (r *Renderer) password(c credential, e *law.Entry) (string, bool) {
	switch r.o.Secrets {
	case Plain:
		return e.Payload, true
	case Digest:
		return hex.EncodeToString(event.Bytes(c.digest)), true
	default:
		return "", false
	}
}

// orderedCredentials returns the credentials kept in the order in which they
// matter: in turn one that a decoy let in and one of the others. They are valid
// until the next call.
func (r *Renderer) orderedCredentials(s *state.Attacker) []law.Entry {
	others, admitted := s.Credentials.Ordered(), s.Admitted.Ordered()
	r.shown = r.shown[:0]
	for len(others)+len(admitted) > 0 {
		if len(admitted) > 0 {
			r.shown, admitted = append(r.shown, credentialEntry(s, admitted[0])), admitted[1:]
		}
		for len(others) > 0 {
			e := others[0]
			others = others[1:]
			if s.Admitted.Get(e.Key) == nil {
				r.shown = append(r.shown, credentialEntry(s, e))
				break
			}
		}
	}
	return r.shown
}

// credentialEntry returns all that is known of a credential: what the list of
// all says of it, if that counts it, else what the list of those says that
// were let in.
func credentialEntry(s *state.Attacker, e law.Entry) law.Entry {
	known := e
	for _, list := range []*law.Bottom{&s.Credentials, &s.Admitted} {
		if other := list.Get(e.Key); other != nil {
			if !other.FirstOnly() && known.FirstOnly() {
				known = *other
			}
			known.First = law.Earliest(known.First, other.First)
			if known.Payload == "" {
				known.Payload = other.Payload
			}
			known.Rank = max(known.Rank, other.Rank)
			if other.Count > known.Count {
				known.Count = other.Count
			}
		}
	}
	if s.Admitted.Get(e.Key) != nil {
		known.Rank = uint8(event.Success)
	}
	return known
}

// firstCredentials returns the n credentials that matter most, in any order.
func (r *Renderer) firstCredentials(s *state.Attacker, n int) []law.Entry {
	if n >= s.Credentials.Len() && !s.Credentials.Truncated() {
		return s.Credentials.Entries()
	}
	all := r.orderedCredentials(s)
	return all[:min(n, len(all))]
}

func (r *Renderer) credentials(d *document, s *state.Attacker, p *plan) {
	kept := r.sortByFirst(r.firstCredentials(s, p.keep[listCredentials]))
	if len(kept) > 0 {
		d.array("credentials")
		for i := range kept {
			r.credential(d, &kept[i])
		}
		d.endArray()
		d.object("credential")
		r.names = r.names[:0]
		for i := range kept {
			if c := credentialOf(kept[i].Key); c.principal != "" {
				r.names = append(r.names, c.principal)
			}
		}
		d.someStrings("username", distinct(r.names))
		r.names = r.names[:0]
		for i := range kept {
			if secret, ok := r.password(credentialOf(kept[i].Key), &kept[i]); ok {
				r.names = append(r.names, secret)
			}
		}
		d.someStrings("password", distinct(r.names))
		r.names = r.names[:0]
		for i := range kept {
			c := credentialOf(kept[i].Key)
			if secret, ok := r.password(c, &kept[i]); ok {
				r.names = append(r.names, r.arena.Join(c.principal, ":", secret))
			}
		}
		d.someStrings("pair", distinct(r.names))
		d.end()
	}
	d.int("credential_count", s.CredentialCount())
	d.int("login_attempts", s.Attempts+s.Claimed.Attempts)
	d.int("login_successes", s.Successes+s.Claimed.Successes)
}

func (r *Renderer) credential(d *document, e *law.Entry) {
	c := credentialOf(e.Key)
	d.element()
	d.some("service", c.service)
	d.string("principal", c.principal)
	d.string("secret_kind", c.kind)
	r.secret(d, c, e)
	d.counted(e)
	d.some("outcome", event.Outcome(e.Rank).String())
	d.end()
}

// secret appends what store_secrets shows of a credential's secret.
func (r *Renderer) secret(d *document, c credential, e *law.Entry) {
	if r.o.Secrets == Plain {
		d.string("secret", e.Payload)
	}
	if r.o.Secrets != Hidden {
		d.key("secret_sha256")
		d.b = append(d.b, '"')
		d.b = hex.AppendEncode(d.b, event.Bytes(c.digest))
		d.b = append(d.b, '"')
	}
}

// The flat lists of fingerprints.
const (
	flatJA3 = iota
	flatJA3S
	flatJA4
	flatJA4S
	flatJA4H
	flatJA4QUIC
	flatHASSH
	flatJARM
	flatUserAgent
	flatSSHClient
	flatCertificate
	flatFingerprints
)

var flatNames = [flatFingerprints]string{
	"ja3", "ja3s", "ja4", "ja4s", "ja4h", "ja4_quic", "hassh", "jarm", "user_agent", "ssh_client", "tls_cert_sha256",
}

// flatOf returns the flat list that a fingerprint's type or a payload field
// belongs to.
func flatOf(name string) (int, bool) {
	switch name {
	case "http_useragent":
		return flatUserAgent, true
	case "ssh_client_banner":
		return flatSSHClient, true
	case "cert_sha256":
		return flatCertificate, true
	}
	for i, n := range flatNames {
		if n == name {
			return i, true
		}
	}
	return 0, false
}

// eachFlat calls yield for each value of a fingerprint that stands in a flat
// list.
func eachFlat(e *law.Entry, yield func(flat int, value string)) {
	kind, value, _ := strings.Cut(e.Key, "\x00")
	if flat, ok := flatOf(kind); ok && value != "" {
		yield(flat, value)
	}
	if kind == "tls_certificate" && len(value) == 64 {
		yield(flatCertificate, value)
	}
	state.DecodeFields(e.Payload, func(key, value string) {
		if flat, ok := flatOf(key); ok && value != "" {
			yield(flat, value)
		}
	})
}

// flatten collects the values of the n fingerprints that matter most.
func (r *Renderer) flatten(s *state.Attacker, n int) {
	for i := range r.flats {
		r.flats[i] = r.flats[i][:0]
	}
	entries := first(&s.Fingerprints, n)
	for i := range entries {
		eachFlat(&entries[i], func(flat int, value string) { r.flats[flat] = append(r.flats[flat], value) })
	}
	for i := range r.flats {
		r.flats[i] = distinct(r.flats[i])
	}
}

func (r *Renderer) fingerprints(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Fingerprints, p.keep[listFingerprints])
	if len(kept) == 0 {
		return
	}
	d.array("fingerprints")
	for i := range kept {
		d.fingerprint(&kept[i])
	}
	d.endArray()
	r.flatten(s, p.keep[listFingerprints])
	open := false
	for i, values := range r.flats {
		if len(values) == 0 {
			continue
		}
		if !open {
			d.object("fingerprint")
			open = true
		}
		d.strings(flatNames[i], values)
	}
	if open {
		d.end()
	}
}

func (d *document) fingerprint(e *law.Entry) {
	kind, value, _ := strings.Cut(e.Key, "\x00")
	d.element()
	d.string("type", kind)
	d.string("value", value)
	d.payload(e.Payload)
	d.counted(e)
	d.end()
}

// payload appends a payload's fields. Their names are the dialects' own;
// whatever doesn't look like one, or stands there twice, is left out.
func (d *document) payload(fields string) {
	if fields == "" {
		return
	}
	d.object("payload")
	var seen [32]string
	n := 0
	state.DecodeFields(fields, func(key, value string) {
		if n == len(seen) || !fieldName(key) || slices.Contains(seen[:n], key) {
			return
		}
		seen[n] = key
		n++
		d.string(key, value)
	})
	d.end()
}

func fieldName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func (r *Renderer) artifacts(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Artifacts, p.keep[listArtifacts])
	if len(kept) == 0 {
		return
	}
	d.array("artifacts")
	for i := range kept {
		d.artifact(&kept[i])
	}
	d.endArray()
	d.object("artifact")
	r.names = r.names[:0]
	for i := range kept {
		if a := artifactOf(kept[i].Key); a.sha256 != "" {
			r.names = append(r.names, a.sha256)
		}
	}
	d.someStrings("sha256", distinct(r.names))
	r.names = r.names[:0]
	for i := range kept {
		if a := artifactOf(kept[i].Key); a.url != "" {
			r.names = append(r.names, a.url)
		}
	}
	d.someStrings("url", distinct(r.names))
	d.end()
}

// artifact is an artifact's key, taken apart.
type artifact struct{ sha256, url, kind string }

func artifactOf(key string) (a artifact) {
	a.sha256, key, _ = strings.Cut(key, "\x00")
	a.url, a.kind, _ = strings.Cut(key, "\x00")
	return a
}

func (d *document) artifact(e *law.Entry) {
	a := artifactOf(e.Key)
	d.element()
	d.some("sha256", a.sha256)
	d.some("url", a.url)
	d.some("kind", a.kind)
	d.payload(e.Payload)
	d.counted(e)
	d.end()
}

// public is the category of a claimed address that could be somebody's.
const public = "public"

func (r *Renderer) leaks(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Leaks, p.keep[listLeaks])
	if len(kept) == 0 {
		return
	}
	d.array("ip_leaks")
	for i := range kept {
		d.leak(&kept[i])
	}
	d.endArray()
}

func (d *document) leak(e *law.Entry) {
	claimed, rest, _ := strings.Cut(e.Key, "\x00")
	header, category, _ := strings.Cut(rest, "\x00")
	d.element()
	d.string("claimed_ip", claimed)
	d.some("header", header)
	d.some("category", category)
	kind := "spoofed_source"
	if category == public {
		kind = "leak"
	}
	d.string("kind", kind)
	d.counted(e)
	d.end()
}

func (r *Renderer) alerts(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Alerts, p.keep[listAlerts])
	if len(kept) == 0 {
		return
	}
	d.array("alerts")
	for i := range kept {
		d.alert(&kept[i])
	}
	d.endArray()
	r.names = r.names[:0]
	for i := range kept {
		if a := alertOf(kept[i].Key); a.side == "" {
			r.names = append(r.names, a.signature)
		}
	}
	if len(r.names) == 0 {
		return
	}
	d.object("alert")
	d.strings("signature", distinct(r.names))
	d.end()
}

func (d *document) alert(e *law.Entry) {
	a := alertOf(e.Key)
	d.element()
	d.string("signature", a.signature)
	d.some("category", a.category)
	d.some("side", a.side)
	if !e.FirstOnly() {
		d.int("severity", severityOf(e))
	}
	d.counted(e)
	d.end()
}

func (r *Renderer) behavior(d *document, s *state.Attacker, f *figures, p *plan) {
	d.object("behavior")
	d.string("class", f.class)
	t := &f.timing
	d.object("timing")
	d.int("event_count", int64(t.Events))
	d.float("duration_s", t.Duration)
	if t.Intervals {
		d.float("mean_iat_s", t.Mean)
		d.float("median_iat_s", t.Median)
		d.float("stdev_iat_s", t.StdDev)
		d.float("min_iat_s", t.Min)
		d.float("max_iat_s", t.Max)
	}
	if t.Varies {
		d.float("cv", t.CV)
	}
	d.end()
	if f.class == behavior.Beaconing || f.beacons {
		d.object("beacon")
		if f.class == behavior.Beaconing {
			d.float("interval_s", t.Mean)
			d.float("jitter_pct", behavior.Jitter(*t))
		}
		switch {
		case f.beacon.Strobe:
			d.bool("strobe", true)
		case f.beacons:
			d.float("score", f.beacon.Score)
			d.float("ts_score", f.beacon.Times)
			d.float("hist_score", f.beacon.Histogram)
			d.float("dur_score", f.beacon.Duration)
		}
		d.end()
	}
	d.someStrings("tools", f.tools)
	if tools := r.byFirst(&s.Tools, p.keep[listTools]); len(tools) > 0 {
		d.array("tool_evidence")
		for i := range tools {
			d.tool(&tools[i])
		}
		d.endArray()
	}
	if kept := r.byFirst(&s.Techniques, p.keep[listTechniques]); len(kept) > 0 {
		d.array("technique_evidence")
		for i := range kept {
			d.concluded(&kept[i])
		}
		d.endArray()
	}
	if large := s.Large + s.Claimed.Large; s.Recon != event.Never || s.Exfil != event.Never || large > 0 {
		d.object("phase")
		d.someTime("recon_end_ts", s.Recon)
		d.someTime("exfil_start_ts", s.Exfil)
		if s.Recon != event.Never && s.Exfil != event.Never && s.Exfil >= s.Recon {
			d.float("exfil_latency_s", behavior.Round(float64(s.Exfil-s.Recon)/1e6, 3))
		}
		d.int("large_payload_count", large)
		d.end()
	}
	d.some("os_guess", f.system)
	if distance, ok := behavior.Distance(&s.Distances); ok {
		d.int("hop_distance", distance)
	}
	d.stack(s)
	d.int("retransmit_count", s.Retransmits)
	if kept := r.byFirst(&s.KexOrders, p.keep[listKex]); len(kept) > 0 {
		d.array("kex_order")
		for i := range kept {
			d.item(kept[i].Key)
		}
		d.endArray()
	}
	d.end()
}

func (d *document) tool(e *law.Entry) {
	d.element()
	d.string("tool", e.Key)
	d.some("by", e.Payload)
	d.counted(e)
	d.end()
}

func (d *document) concluded(e *law.Entry) {
	d.element()
	d.string("technique", e.Key)
	d.some("why", e.Payload)
	d.counted(e)
	d.end()
}

// stack appends the newest TCP/IP snapshot.
func (d *document) stack(s *state.Attacker) {
	if s.Stack.Time == event.Never {
		return
	}
	var seen [16]string
	n := 0
	d.object("tcp_fingerprint")
	state.DecodeFields(s.Stack.Value, func(key, value string) {
		if n == len(seen) || slices.Contains(seen[:n], key) {
			return
		}
		seen[n] = key
		n++
		switch key {
		case "window", "wscale", "mss", "tos", "dscp", "ecn":
			if v, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				d.int(key, v)
			}
		case "has_sack", "has_timestamps":
			d.bool(key, value == "true" || value == "1")
		case "options_sig":
			d.string(key, value)
		}
	})
	d.some("ipid_class", s.IPIDClass.Value)
	d.some("isn_class", s.ISNClass.Value)
	d.end()
}

// confidence says how sure it is that the address means harm.
func confidence(s *state.Attacker) string {
	switch {
	case !s.Handshake, s.Kinds[event.Scan]+s.Kinds[event.Interaction] == 0:
		return "Low"
	case s.Attempts > 0, s.CommandCount > 0, s.Artifacts.Len() > 0:
		return "High"
	default:
		return "Medium"
	}
}

func (r *Renderer) threat(d *document, h Head, s *state.Attacker, f *figures, place *Place, p *plan) {
	d.object("threat")
	if len(f.techniques) > 0 {
		r.attack(d, f)
	}
	d.string("framework", "MITRE ATT&CK")
	d.object("feed")
	d.string("name", "Dossier")
	d.end()
	d.object("indicator")
	d.string("type", indicatorType(h.Addr))
	d.string("name", h.ID)
	if h.Network.IsValid() {
		d.strings("ip", r.addresses(h, &s.Network, p.keep[listNetwork]))
	} else {
		d.address("ip", h.Addr)
	}
	d.someTime("first_seen", s.First)
	d.someTime("last_seen", s.Last)
	d.someTime("modified_at", s.Last)
	d.int("sightings", s.Events)
	d.string("confidence", confidence(s))
	d.string("provider", "Dossier")
	d.key("description")
	d.b = append(d.b, '"')
	d.b = r.describe(d.b, h, s, f)
	d.b = append(d.b, '"')
	d.object("marking")
	d.string("tlp", r.o.TLP)
	d.end()
	d.place(place)
	d.end()
	d.end()
}

// describe appends the profile in one sentence. Everything in it is a number
// or a word of ours.
func (r *Renderer) describe(b []byte, h Head, s *state.Attacker, f *figures) []byte {
	count := func(n int64, one, many string) {
		b = strconv.AppendInt(b, n, 10)
		b = append(b, ' ')
		if n == 1 {
			b = append(b, one...)
		} else {
			b = append(b, many...)
		}
	}
	b = append(b, h.ID...)
	b = append(b, ", "...)
	b = append(b, f.class...)
	b = append(b, ": "...)
	seen := r.touched(s)
	count(s.Total(), "event", "events")
	if s.Claimed.Events > 0 {
		b = append(b, " ("...)
		b = strconv.AppendInt(b, s.Claimed.Events, 10)
		b = append(b, " claimed)"...)
	}
	b = append(b, " on "...)
	count(seen.serviceCount(), "service", "services")
	b = append(b, " of "...)
	count(seen.deckyCount(), "decoy", "decoys")
	if s.Attempts > 0 {
		b = append(b, ", "...)
		count(s.Attempts, "login attempt", "login attempts")
		if s.Successes > 0 {
			b = append(b, " ("...)
			b = strconv.AppendInt(b, s.Successes, 10)
			b = append(b, " successful)"...)
		}
	}
	if s.CommandCount > 0 {
		b = append(b, ", "...)
		count(s.CommandCount, "command", "commands")
	}
	if n := s.Artifacts.Distinct(); n > 0 {
		b = append(b, ", "...)
		count(n, "file", "files")
	}
	return b
}

func (r *Renderer) related(d *document, h Head, s *state.Attacker, name string, p *plan) {
	d.object("related")
	ips := r.addresses(h, &s.Network, p.keep[listNetwork])
	leaks := first(&s.Leaks, p.keep[listLeaks])
	for i := range leaks {
		claimed, rest, _ := strings.Cut(leaks[i].Key, "\x00")
		if strings.HasSuffix(rest, "\x00"+public) {
			ips = append(ips, claimed)
		}
	}
	r.names = ips
	d.strings("ip", distinct(r.names))
	r.names = r.names[:0]
	credentials := r.firstCredentials(s, p.keep[listCredentials])
	for i := range credentials {
		if c := credentialOf(credentials[i].Key); c.principal != "" {
			r.names = append(r.names, c.principal)
		}
	}
	d.someStrings("user", distinct(r.names))
	r.names = r.names[:0]
	deckies := first(r.touched(s).deckies, p.keep[listDeckies])
	for i := range deckies {
		r.names = append(r.names, deckies[i].Key)
	}
	if name != "" {
		r.names = append(r.names, name)
	}
	d.someStrings("hosts", distinct(r.names))
	r.names = r.names[:0]
	artifacts := first(&s.Artifacts, p.keep[listArtifacts])
	for i := range artifacts {
		if a := artifactOf(artifacts[i].Key); a.sha256 != "" {
			r.names = append(r.names, a.sha256)
		}
	}
	if s.Fingerprints.Len() > 0 {
		r.flatten(s, p.keep[listFingerprints])
		for _, flat := range [...]int{flatJA3, flatJA3S, flatHASSH, flatJARM, flatCertificate} {
			r.names = append(r.names, r.flats[flat]...)
		}
	}
	d.someStrings("hash", distinct(r.names))
	d.end()
}

// truncated appends the names of the fields whose cap bit: in the fold or
// here.
func (r *Renderer) truncated(d *document, s *state.Attacker, p *plan) {
	r.names = r.names[:0]
	cut := func(bit bool, names ...string) {
		if bit {
			r.names = append(r.names, names...)
		}
	}
	seen := r.touched(s)
	cut(seen.servicesCut, "service_count")
	cut(seen.servicesCut || p.keep[listServices] < seen.services.Len(), "services")
	cut(seen.deckiesCut, "decky_count")
	cut(seen.deckiesCut || p.keep[listDeckies] < seen.deckies.Len(), "deckies")
	r.claimedTruncated(s, p)
	cut(s.Hops.Truncated() || p.keep[listHops] < len(s.Hops.Items()), "hops")
	cut(s.Hops.Truncated() || p.keep[listHops] < len(s.Hops.Items()), "movement.edges")
	cut(s.Deckies.Truncated() || p.keep[listDwell] < s.Deckies.Len(), "movement.dwell")
	cut(s.Commands.Truncated() || p.keep[listCommands] < len(s.Commands.Items()) || longest(s.Commands.Items()), "commands")
	cut(s.Credentials.Truncated(), "credential_count")
	cut(s.Credentials.Truncated() || p.keep[listCredentials] < s.Credentials.Len(), "credentials")
	cut(s.Fingerprints.Truncated() || p.keep[listFingerprints] < s.Fingerprints.Len(), "fingerprints")
	cut(s.Artifacts.Truncated() || p.keep[listArtifacts] < s.Artifacts.Len(), "artifacts")
	cut(s.Leaks.Truncated() || p.keep[listLeaks] < s.Leaks.Len(), "ip_leaks")
	cut(s.Alerts.Truncated() || p.keep[listAlerts] < s.Alerts.Len(), "alerts")
	cut(s.Credentials.Truncated() || s.Fingerprints.Truncated() || s.Artifacts.Truncated() || s.Leaks.Truncated(), "bounty_count")
	cut(s.Sessions.Truncated(), "session_count")
	cut(s.Times.Truncated(), "behavior.timing")
	cut(s.Tools.Truncated(), "behavior.tools")
	cut(s.Tools.Truncated() || p.keep[listTools] < s.Tools.Len(), "behavior.tool_evidence")
	cut(s.KexOrders.Truncated() || p.keep[listKex] < s.KexOrders.Len(), "behavior.kex_order")
	cut(s.Techniques.Truncated(), "threat.technique.id")
	cut(s.Techniques.Truncated() || p.keep[listTechniques] < s.Techniques.Len(), "behavior.technique_evidence")
	cut(s.SystemGuesses.Truncated() || s.SystemGuesses.Len() == 0 && s.TTLs.Truncated(), "behavior.os_guess")
	cut(s.Distances.Truncated(), "behavior.hop_distance")
	cut(s.Sensors.Truncated() || p.keep[listSensors] < s.Sensors.Len(), "sensors")
	cut(s.Network.Truncated() || p.keep[listNetwork] < len(s.Network.Items()), "threat.indicator.ip")
	cut(s.Domains.Truncated(), "smtp_domain_count")
	cut(s.Untold > 0, "transitions")
	d.someStrings("truncated", distinct(r.names))
}

// longest says whether some of a command line is missing: it was cut, or by an
// earlier version may have been, being as long as that kept lines. Repair cuts before a character of at most ten
// bytes that doesn't fit.
func longest(commands []law.Item) bool {
	return slices.ContainsFunc(commands, func(c law.Item) bool { return law.Shortened(c.C) || len(c.C) > event.MaxCommand-len(`\U000e0001`) })
}

// riskOf appends how dangerous the attacker is, and why.
func (d *document) riskOf(risk *rules.Risk) {
	d.object("risk")
	d.float("score", risk.Score)
	d.string("level", risk.Level)
	if len(risk.Reasons) > 0 {
		d.array("reasons")
		for i := range risk.Reasons {
			reason := &risk.Reasons[i]
			d.element()
			d.string("id", reason.ID())
			d.key("reason")
			var text [256]byte
			d.b = appendString(d.b, event.View(reason.AppendText(text[:0])))
			d.float("weight", reason.Weight())
			d.float("points", reason.Points)
			d.someStrings("evidence", reason.Evidence)
			d.end()
		}
		d.endArray()
	}
	d.end()
}

// attack appends the techniques and tactics of ATT&CK: ids, and names in the
// order of the ids. An id that isn't known stands for itself.
func (r *Renderer) attack(d *document, f *figures) {
	d.object("technique")
	d.strings("id", f.techniques)
	d.array("name")
	for _, id := range f.techniques {
		if t, ok := r.o.Rules.Technique(id); ok {
			id = t.Name
		}
		d.item(id)
	}
	d.endArray()
	d.end()
	if len(f.tactics) == 0 {
		return
	}
	d.object("tactic")
	d.strings("id", f.tactics)
	d.array("name")
	for _, id := range f.tactics {
		if t, ok := r.o.Rules.Tactic(id); ok {
			id = t.Name
		}
		d.item(id)
	}
	d.endArray()
	d.end()
}
