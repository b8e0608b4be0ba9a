package profile

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"

	"github.com/tinylib/msgp/msgp"
)

// summary is an attacker's key figures.
type summary struct {
	events, services, deckies, bounties, credentials int64
	traversal                                        bool
	class                                            string
	score                                            float64
	level                                            string
}

// summaryElements is the number of elements of an encoded summary. A newer
// version may append some.
const summaryElements = 9

// AppendSummary appends the attacker's key figures, which its activity
// documents show: a msgpack array.
func (r *Renderer) AppendSummary(dst []byte, h Head, s *state.Attacker) []byte {
	s = r.prove(s)
	f := r.judge(h, s)
	seen := r.touched(s)
	dst = msgp.AppendArrayHeader(dst, summaryElements)
	dst = msgp.AppendInt64(dst, s.Total())
	dst = msgp.AppendInt64(dst, seen.serviceCount())
	dst = msgp.AppendInt64(dst, seen.deckyCount())
	dst = msgp.AppendInt64(dst, s.Bounties())
	dst = msgp.AppendInt64(dst, s.CredentialCount())
	dst = msgp.AppendBool(dst, s.IsTraversal())
	dst = msgp.AppendString(dst, f.class)
	dst = msgp.AppendFloat64(dst, f.risk.Score)
	return msgp.AppendString(dst, f.risk.Level)
}

var errSummary = errors.New("profile: corrupt summary")

func (u *summary) decode(v string) error {
	n, b, err := msgp.ReadArrayHeaderBytes(event.Bytes(v))
	if err != nil || n < summaryElements {
		return errSummary
	}
	for _, to := range [...]*int64{&u.events, &u.services, &u.deckies, &u.bounties, &u.credentials} {
		if *to, b, err = msgp.ReadInt64Bytes(b); err != nil {
			return errSummary
		}
	}
	if u.traversal, b, err = msgp.ReadBoolBytes(b); err != nil {
		return errSummary
	}
	var text []byte
	if text, b, err = msgp.ReadStringZC(b); err != nil {
		return errSummary
	}
	u.class = event.View(text)
	if u.score, b, err = msgp.ReadFloat64Bytes(b); err != nil {
		return errSummary
	}
	if text, _, err = msgp.ReadStringZC(b); err != nil {
		return errSummary
	}
	u.level = event.View(text)
	return nil
}

// tried appends the hour's credentials, those tried most often first.
func (r *Renderer) tried(d *document, s *state.Activity) {
	if s.Tried.Len()+s.Admitted.Len() == 0 {
		return
	}
	r.entries = append(r.entries[:0], s.Tried.Entries()...)
	if s.Tried.Truncated() {
		// Those that a decoy let in are kept apart from all others.
		for _, e := range s.Admitted.Entries() {
			if s.Tried.Get(e.Key) == nil {
				r.entries = append(r.entries, e)
			}
		}
	}
	slices.SortFunc(r.entries, func(a, b law.Entry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Key, b.Key))
	})
	d.object("credentials")
	d.array("tried")
	for i := range r.entries {
		e := &r.entries[i]
		c := credentialOf(e.Key)
		d.element()
		d.some("service", c.service)
		d.some("user", c.principal)
		d.string("secret_kind", c.kind)
		r.secret(d, c, e)
		var successes int64
		if admitted := s.Admitted.Get(e.Key); admitted != nil {
			successes = admitted.Count
		}
		// Of one that is only known to have come early there is no count.
		if !e.FirstOnly() {
			d.int("attempts", e.Count)
		} else if successes > 0 {
			d.int("attempts", successes)
		}
		if !e.FirstOnly() || successes > 0 {
			d.int("successes", successes)
		}
		d.end()
	}
	d.endArray()
	d.end()
}

// lineNames appends the hour's distinct lines.
func (r *Renderer) lineNames(d *document, s *state.Activity) {
	r.names = r.names[:0]
	add := func(line string) {
		if line != "" && indexable(line) {
			r.names = append(r.names, line)
		}
	}
	for _, e := range s.Lines.Entries() {
		add(e.Key)
	}
	// A version from before there were Lines keeps these only.
	for _, list := range [2][]law.Item{s.Commands.Items(), s.Commands.Gone()} {
		for i := range list {
			add(state.CommandOf(&list[i]).Line())
		}
	}
	if len(r.names) == 0 {
		return
	}
	slices.Sort(r.names)
	d.object("command")
	d.strings("line", slices.Compact(r.names))
	d.end()
}

// users appends the principals of the credentials that are shown.
func (r *Renderer) users(d *document, s *state.Activity) {
	r.names = r.names[:0]
	for _, list := range [2][]law.Entry{s.Tried.Entries(), s.Admitted.Entries()} {
		for i := range list {
			if user := credentialOf(list[i].Key).principal; user != "" && indexable(user) {
				r.names = append(r.names, user)
			}
		}
	}
	if len(r.names) == 0 {
		return
	}
	slices.Sort(r.names)
	d.object("credential")
	d.strings("username", slices.Compact(r.names))
	d.end()
}

// AppendActivity appends an attacker's hour.
func (r *Renderer) AppendActivity(dst []byte, h Head, hour event.Time, s *state.Activity) []byte {
	s = r.nameSessions(s)
	where := r.where(h)
	d := begin(dst)
	d.time("@timestamp", hour)
	d.object("event")
	d.string("kind", "metric")
	d.string("module", "dossier")
	d.string("dataset", "dossier.activity")
	d.end()
	d.source(h, &where)
	r.uuid(&d, h.ID)
	d.object("observer")
	r.keys(&d, "name", &s.Sensors, s.Sensors.Len())
	d.end()
	d.object("activity")
	d.int("events", s.Events)
	d.int("interactions", s.Kinds[event.Interaction])
	d.int("scans", s.Kinds[event.Scan])
	d.int("commands", s.CommandCount)
	d.int("login_attempts", s.Attempts)
	d.int("login_successes", s.Successes)
	d.int("recipients", s.Recipients)
	d.int("claimed", s.Claimed)
	d.end()
	r.keys(&d, "services", &s.Services, s.Services.Len())
	d.someCount("service_guessed", s.Unnamed.Guessed)
	r.keys(&d, "deckies", &s.Deckies, s.Deckies.Len())
	r.ports(&d, &s.Ports, s.Ports.Len())
	if newest, first := s.Commands.Items(), s.Commands.Gone(); len(newest) > 0 {
		d.array("commands")
		for i := range first {
			d.command(&first[i])
		}
		for i := range newest {
			d.command(&newest[i])
		}
		d.endArray()
	}
	r.lineNames(&d, s)
	r.tried(&d, s)
	r.users(&d, s)
	var u summary
	if s.Summary.Time != event.Never && u.decode(s.Summary.Value) == nil {
		d.int("event_count", u.events)
		d.int("service_count", u.services)
		d.int("decky_count", u.deckies)
		d.int("bounty_count", u.bounties)
		d.int("credential_count", u.credentials)
		d.bool("is_traversal", u.traversal)
		d.object("risk")
		d.float("score", u.score)
		d.string("level", u.level)
		d.end()
		d.object("behavior")
		d.string("class", u.class)
		d.end()
	}
	r.scoped(&d, h)
	d.some("country_code", where.Country)
	d.some("network_type", where.NetworkType)
	if where.ASN != 0 {
		d.int("asn", int64(where.ASN))
	}
	d.now("updated_at", h.Now)
	r.names = cutShort(
		r.names[:0], capped{"command.line", &s.Lines}, capped{"credentials.tried", &s.Tried}, capped{"deckies", &s.Deckies},
		capped{"observer.name", &s.Sensors}, capped{"ports", &s.Ports}, capped{"port_count", &s.Ports}, capped{"services", &s.Services},
	)
	if s.Commands.Truncated() {
		r.names = append(r.names, "commands")
	}
	d.someStrings("truncated", distinct(r.names))
	d.schema()
	d.base64("state", h.State)
	d.end()
	return d.b
}
