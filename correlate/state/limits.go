package state

import (
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// The bounds of an attacker's lists. Bytes are what
// the list takes of the state at the most, beside the keys that came first;
// together they make MaxAttacker.
//
// An entry takes at most a thirty-second of its list, so that a few long texts
// fill none. Names of sensors come from options, numbers and addresses are
// short: those lists need no such bound.
var (
	LimitServices = law.Limit{Keys: 128, Bytes: 4608, Entry: 144}
	LimitDeckies  = law.Limit{Keys: 256, Bytes: 12 << 10, Entry: 384}
	LimitHops     = law.Limit{Keys: 128, Bytes: 7424, Note: 32, Entry: 232}
	// LimitCommands bounds the newest commands and the first ones,
	// LimitKnown those that a rule knows.
	LimitCommands = law.Limit{Keys: 200, Bytes: 16 << 10, Entry: 512, Firsts: 10}
	LimitKnown    = law.Limit{Keys: 48, Bytes: 6 << 10, Entry: 192, Part: 1, Firsts: 6}
	// LimitCredentials bounds all credentials shown, LimitAdmitted those that
	// a decoy let in. A key must be cut alike in both.
	LimitCredentials = law.Limit{Keys: 200, Bytes: 23 << 10, Entry: credential, Part: 1, Payload: secret, Firsts: 12, Early: true}
	LimitAdmitted    = law.Limit{Keys: 64, Bytes: 10 << 10, Entry: credential, Part: 1, Payload: secret, Firsts: 8, Early: true}
	// LimitFingerprints has a share for each kind of fingerprint, and one for
	// all that are no kind of their own.
	LimitFingerprints = law.Limit{Bytes: 18 << 10, Entry: 576, Part: 1, Payload: 120, Fields: FitFields, Class: fingerprintClass, Shares: fingerprintShares}
	// LimitArtifacts has shares for files that were fetched, files that were
	// brought, mails, and URLs of which no file is there.
	LimitArtifacts = law.Limit{Bytes: 10 << 10, Entry: 320, Part: 1, Payload: 60, Fields: FitFields, Class: artifactClass, Shares: []law.Share{
		fetched: {Bytes: 2560, Firsts: 4}, brought: {Bytes: 1792, Firsts: 4}, mailed: {Bytes: 1024, Firsts: 2}, named: {Bytes: 1792, Firsts: 3},
	}}
	// LimitLeaks has a share for addresses that could be somebody's and one
	// for the others.
	LimitLeaks = law.Limit{Bytes: 3456, Entry: 108, Part: 1, Class: leakClass, Shares: []law.Share{
		{Bytes: 1728, Firsts: 4}, {Bytes: 864, Firsts: 2},
	}}
	// LimitIndicators has a share for each kind of thing that is used beyond the
	// decoy.
	LimitIndicators = law.Limit{Bytes: 12 << 10, Entry: 384, Part: 1, Payload: 8, Class: indicatorClass, Shares: indicatorShares}
	// LimitForwards bounds what decoys were asked to pass on.
	LimitForwards   = law.Limit{Keys: 64, Bytes: 4 << 10, Entry: 160, Part: 1, Firsts: 4}
	LimitSensors    = law.Limit{Keys: 64, Bytes: 2560}
	LimitKexOrders  = law.Limit{Keys: 64, Bytes: 18 << 10, Entry: 576, Firsts: 2}
	LimitTools      = law.Limit{Keys: 64, Bytes: 3 << 10, Entry: 96, Payload: 24}
	LimitTechniques = law.Limit{Keys: 96, Bytes: 5 << 10, Entry: 160, Payload: 100}
	LimitAlerts     = law.Limit{Keys: 64, Bytes: 6 << 10, Entry: 192, Firsts: 6}
	// LimitSystems bounds the labels of operating systems, LimitNumbers TTLs
	// and distances.
	LimitSystems = law.Limit{Keys: 16, Bytes: 3 << 10, Entry: 96}
	LimitNumbers = law.Limit{Keys: 64, Bytes: 2304}
	// LimitNetwork bounds the newest addresses kept of a network.
	LimitNetwork = law.Limit{Keys: 32, Bytes: 1700, Entry: 1 + 9 + 3*3 + 39}
	// LimitSmall and LimitDecoys bound the services and deckies of an hour
	// and of a mail domain.
	LimitSmall  = law.Limit{Keys: 64, Bytes: 3328, Entry: 104}
	LimitDecoys = law.Limit{Keys: 64, Bytes: 9 << 10, Entry: 288}
	// LimitTransitions bounds the lines crossed. Those there are take about a
	// dozen of it; a line's action and value may take 32 bytes on the average.
	LimitTransitions = law.Limit{Keys: 64, Bytes: 64 * (transitionOverhead + 32)}
)

// indicatorShares are those of the kinds of indicators that have one of their
// own; what is no kind that is known shares the last.
var indicatorShares = []law.Share{
	0: {Bytes: 4 << 10, Firsts: 4}, 1: {Bytes: 1 << 10, Firsts: 2}, 2: {Bytes: 1 << 10, Firsts: 2}, 3: {Bytes: 1536, Firsts: 2},
	4: {Bytes: 512, Firsts: 1}, 5: {Bytes: 512, Firsts: 1}, 6: {Bytes: 512, Firsts: 1}, 7: {Bytes: 1 << 10, Firsts: 1}, 8: {Bytes: 512, Firsts: 1},
	9: {Bytes: 512, Firsts: 1},
}

var indicatorKinds = event.IndicatorKinds()

func indicatorClass(key string) int {
	kind, _, _ := strings.Cut(key, "\x00")
	if i := slices.Index(indicatorKinds, kind); i >= 0 {
		return i
	}
	return len(indicatorShares) - 1
}

const (
	// credential and secret are what an entry of a list of credentials takes
	// at the most, and what of it is left to the secret.
	credential = 320
	secret     = 40
	// maxLine is the longest command line kept: with a service and a decky
	// it is an entry.
	maxLine = 440
)

// The classes of artifacts.
const (
	fetched = iota
	brought
	mailed
	named
)

// artifactClass tells artifacts apart by their key: SHA-256, URL, kind.
func artifactClass(key string) int {
	digest, rest, _ := strings.Cut(key, "\x00")
	url, kind, _ := strings.Cut(rest, "\x00")
	switch {
	case kind == "mail":
		return mailed
	case digest == "":
		return named
	case url != "":
		return fetched
	}
	return brought
}

// leakClass tells leaks apart by their category.
func leakClass(key string) int {
	if strings.HasSuffix(key, "\x00public") {
		return 0
	}
	return 1
}

// The kinds of fingerprints that have a share of their own; those with one
// number share it.
var fingerprintKinds = map[string]int{
	"hassh": 1, "ja3": 2, "ja4": 3, "ja4h": 4, "ja4_quic": 5, "http_useragent": 6, "ssh_client_banner": 7, "ssh_public_key": 8, "http_quirks": 9,
	// Of servers, some of them those of our own probes.
	"ja3s": 10, "ja4s": 10, "jarm": 10, "hassh_server": 10, "tls_certificate": 10, "tcpfp": 10,
	// Of what a decoy opened itself.
	"contacted_by": 11, "contact_url": 11, "contact_file": 11, "contact_alert": 11,
}

var fingerprintShares = []law.Share{
	0: {Bytes: 1152, Firsts: 2},
	1: {Bytes: 1152, Firsts: 2}, 2: {Bytes: 1152, Firsts: 2}, 3: {Bytes: 1152, Firsts: 2},
	4: {Bytes: 1152, Firsts: 2}, 5: {Bytes: 768, Firsts: 2}, 6: {Bytes: 1728, Firsts: 2}, 7: {Bytes: 1152, Firsts: 2},
	8: {Bytes: 1152, Firsts: 2}, 9: {Bytes: 576, Firsts: 2}, 10: {Bytes: 1152, Firsts: 2}, 11: {Bytes: 1152, Firsts: 2},
}

func fingerprintClass(key string) int {
	kind, _, _ := strings.Cut(key, "\x00")
	return fingerprintKinds[kind]
}
