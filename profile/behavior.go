package profile

import (
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/behavior"
)

func (r *Renderer) behavior(d *document, s *state.Attacker, f *figures, p *plan) {
	d.object("behavior")
	d.string("class", f.class)
	d.some("kind", f.kind)
	d.some("kind_why", event.View(f.kindWhy))
	if p := &f.pauses; f.byHand {
		d.object("pauses")
		d.int("count", int64(p.Count))
		d.float("median_s", p.Median)
		d.float("min_s", p.Least)
		d.float("max_s", p.Most)
		d.int("corrected", int64(p.Corrected))
		d.end()
	}
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
	d.someStrings("cadence_like", f.cadences)
	elements(d, "tool_evidence", r.byFirst(&s.Tools, p.keep[listTools]), func(e *law.Entry) { r.tool(d, e) })
	r.conclusions(d, s, p)
	d.wholly(s, f)
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
	elements(d, "kex_order", r.byFirst(&s.KexOrders, p.keep[listKex]), func(e *law.Entry) { d.item(e.Key) })
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
