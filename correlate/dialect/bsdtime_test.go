package dialect

import (
	"math/rand/v2"
	"testing"
	"time"

	"dossier/correlate/event"
)

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("this host doesn't know the time zone %s: %v", name, err)
	}
	return l
}

func TestBSDTime(t *testing.T) {
	for _, tt := range []struct {
		line, record, zone, want string
	}{
		{"Nov 26 10:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T10:00:00Z"},
		{"Nov 6 10:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-06T10:00:00Z"},
		{"Nov  6 10:00:00.25 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-06T10:00:00.25Z"},
		{"Thu Nov 26 10:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T10:00:00Z"},
		{"Thu Nov 26 10:00:00 2024 ", "2026-11-27T00:00:00Z", "UTC", "2024-11-26T10:00:00Z"},
		{"Nov 26 2024 10:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2024-11-26T10:00:00Z"},
		{"2024 Nov 26 10:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2024-11-26T10:00:00Z"},
		{"Nov 26 10:00:00: ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T10:00:00Z"},
		// A zone behind it.
		{"Nov 26 10:00:00 UTC ", "2026-11-27T00:00:00Z", "Europe/Berlin", "2026-11-26T10:00:00Z"},
		{"Nov 26 10:00:00 UTC: ", "2026-11-27T00:00:00Z", "Europe/Berlin", "2026-11-26T10:00:00Z"},
		{"Nov 26 2026 10:00:00.123 UTC: ", "2026-11-27T00:00:00Z", "Europe/Berlin", "2026-11-26T10:00:00.123Z"},
		{"Nov 26 10:00:00 CET ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T09:00:00Z"},
		{"Nov 26 10:00:00 PST ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T18:00:00Z"},
		{"Nov 26 10:00:00 +0530 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T04:30:00Z"},
		{"Nov 26 10:00:00 -05:00 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-26T15:00:00Z"},
		{"Thu Nov 26 10:00:00 UTC 2026 ", "2026-11-27T00:00:00Z", "Europe/Berlin", "2026-11-26T10:00:00Z"},
		{"Thu Nov 26 10:00:00 2026 UTC ", "2026-11-27T00:00:00Z", "Europe/Berlin", "2026-11-26T10:00:00Z"},
		{"Jul  1 12:00:00 BST ", "2026-07-02T00:00:00Z", "Europe/London", "2026-07-01T11:00:00Z"},
		{"Jan  1 01:00:00 CET ", "2025-12-31T23:59:59Z", "UTC", "2026-01-01T00:00:00Z"},
		// The latest year that is no more than a day ahead.
		{"Nov 27 23:59:59 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-27T23:59:59Z"},
		{"Nov 28 00:00:00 ", "2026-11-27T00:00:00Z", "UTC", "2026-11-28T00:00:00Z"},
		{"Nov 28 00:00:01 ", "2026-11-27T00:00:00Z", "UTC", "2025-11-28T00:00:01Z"},
		{"Dec 31 23:59:00 ", "2026-01-01T00:01:00Z", "UTC", "2025-12-31T23:59:00Z"},
		{"Jan  1 00:00:30 ", "2025-12-31T23:59:59Z", "UTC", "2026-01-01T00:00:30Z"},
		{"Jan  1 00:30:00 ", "2025-12-31T17:00:00Z", "Asia/Tokyo", "2025-12-31T15:30:00Z"},
		// 29 February.
		{"Feb 29 12:00:00 ", "2026-03-01T00:00:00Z", "UTC", "2024-02-29T12:00:00Z"},
		{"Feb 29 12:00:00 ", "2024-02-28T12:00:00Z", "UTC", "2024-02-29T12:00:00Z"},
		{"Feb 29 12:00:00 ", "2024-02-28T11:59:59Z", "UTC", "2020-02-29T12:00:00Z"},
		{"Feb 29 12:00:00 ", "2103-03-01T00:00:00Z", "UTC", "2096-02-29T12:00:00Z"},
		// Zones: the hour that comes twice is the first, the one that is left out
		// as clocks would have shown it.
		{"Jul  1 12:00:00 ", "2026-07-02T00:00:00Z", "Europe/Berlin", "2026-07-01T10:00:00Z"},
		{"Oct 25 02:30:00 ", "2026-10-26T00:00:00Z", "Europe/Berlin", "2026-10-25T00:30:00Z"},
		{"Oct 25 01:59:59 ", "2026-10-26T00:00:00Z", "Europe/Berlin", "2026-10-24T23:59:59Z"},
		{"Oct 25 03:00:00 ", "2026-10-26T00:00:00Z", "Europe/Berlin", "2026-10-25T02:00:00Z"},
		{"Mar 29 02:30:00 ", "2026-03-30T00:00:00Z", "Europe/Berlin", "2026-03-29T01:30:00Z"},
		{"Mar 29 03:00:00 ", "2026-03-30T00:00:00Z", "Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"Nov  1 01:30:00 ", "2026-11-02T00:00:00Z", "America/New_York", "2026-11-01T05:30:00Z"},
		{"Apr  5 01:45:00 ", "2026-04-06T00:00:00Z", "Australia/Lord_Howe", "2026-04-04T14:45:00Z"},
	} {
		w, rest, ok := cutBSDTime(tt.line + "x")
		if !ok || rest != "x" {
			t.Errorf("%q: %v, %q", tt.line, ok, rest)
			continue
		}
		record, err := time.Parse(time.RFC3339, tt.record)
		if err != nil {
			t.Fatal(err)
		}
		z := zone{location: location(t, tt.zone)}
		for range 2 { // as it is, and from what was found out
			got, ok := z.resolve(w, event.FromTime(record))
			if s := got.Time().Format(time.RFC3339Nano); !ok || s != tt.want {
				t.Errorf("%q at %s in %s: got %s, want %s", tt.line, tt.record, tt.zone, s, tt.want)
			}
		}
	}
	for _, line := range []string{
		"", "Nov", "Nov 32 10:00:00 x", "Nov 31 10:00:00 x", "Feb 30 10:00:00 x", "Nov 0 10:00:00 x", "Nov 26 24:00:00 x", "Nov 26 10:60:00 x", "Nov 26 10:00 x", "nov 26 10:00:00 x",
		"Nov 26 100000 x", "Nov 26 10:00:00", "Nov -6 10:00:00 x", "ovN 26 10:00:00 x", "Nov 126 10:00:00 x", "Feb 29 2026 10:00:00 x",
	} {
		if w, _, ok := cutBSDTime(line); ok {
			t.Errorf("%q is %+v", line, w)
		}
	}
}

// A line's time doesn't depend on what was read before it, and in every zone it
// shows on the wall what the line says, but in the hours that are left out.
func TestBSDTimeMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia"} {
		l := location(t, name)
		used := zone{location: l}
		for range 20_000 {
			at := time.Date(2000+rng.IntN(40), 1, 1, 0, 0, rng.IntN(366*86400), 0, l)
			w := wallTime{month: int(at.Month()), day: at.Day(), seconds: int64(at.Hour()*3600 + at.Minute()*60 + at.Second())}
			record := event.FromTime(at.Add(time.Duration(rng.IntN(300*86400)) * time.Second))
			got, ok := used.resolve(w, record)
			fresh, _ := (&zone{location: l}).resolve(w, record)
			if !ok || got != fresh {
				t.Fatalf("%s, %+v at %v: %v after others, %v alone", name, w, record.Time(), got.Time(), fresh.Time())
			}
			if back := got.Time().In(l); back.Hour() != at.Hour() || back.Minute() != at.Minute() || back.Day() != at.Day() {
				t.Fatalf("%s, %v: got %v", name, at, back)
			}
			if w.day != 29 || w.month != 2 {
				if d := at.Sub(got.Time()); d < 0 || d > 3*time.Hour {
					t.Fatalf("%s, %v is %v", name, at, got.Time())
				}
			}
		}
	}
}

// A clock that is ahead by more than ten minutes is wrong.
func TestBSDTimeAhead(t *testing.T) {
	p := newParser(t, Options{})
	for line, skew := range map[string]bool{"Dec  1 00:10:00": false, "Dec  1 00:10:01": true, "Nov 30 23:00:00": false} {
		var a event.Arena
		var ev event.Event
		v := p.Parse(&a, logRecord(line+" d sshd[1]: "+sshdSays), &ev)
		if v.ClockSkew != skew || skew != (ev.Time == recordTime) {
			t.Errorf("%s: skew %v, %v", line, v.ClockSkew, ev.Time.Time())
		}
	}
}

// A year that is said goes before the record's, and not before the line's own.
func TestBSDTimeOfAYear(t *testing.T) {
	record := event.FromTime(time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC))
	for line, want := range map[string]string{
		"Nov 26 10:00:00 ":      "2023-11-26T10:00:00Z",
		"Dec 31 23:59:59 ":      "2023-12-31T23:59:59Z",
		"Nov 26 10:00:00 2025 ": "2025-11-26T10:00:00Z",
		"Nov 26 10:00:00 CET ":  "2023-11-26T09:00:00Z",
		"Feb 29 10:00:00 ":      "", // there was none
	} {
		z := zone{location: time.UTC, year: 2023}
		w, _, ok := cutBSDTime(line + "x")
		if !ok {
			t.Fatal(line)
		}
		at, known := z.resolve(w, record)
		if got := at.Time().Format(time.RFC3339Nano); known != (want != "") || known && got != want {
			t.Errorf("%q: got %s, %v, want %q", line, got, known, want)
		}
	}
}
