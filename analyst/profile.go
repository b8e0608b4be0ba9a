package analyst

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"dossier/profile/rules"
)

// Profile is an attacker's document as far as it is shown
// (docs/profile.md has each field). All texts in it are repaired.
type Profile struct {
	// ID is the address, or the network, whose profile it is.
	ID string `json:"-"`
	// Verdict is what an analyst said of it, nil where nobody did.
	Verdict *Verdict `json:"-"`

	UUID         Text  `json:"uuid"`
	FirstSeen    Time  `json:"first_seen"`
	LastSeen     Time  `json:"last_seen"`
	EventCount   int64 `json:"event_count"`
	SessionCount int64 `json:"session_count"`

	Services   Texts  `json:"services"`
	Scanned    Texts  `json:"services_scanned"`
	Interacted Texts  `json:"services_interacted"`
	Ports      []Port `json:"ports"`
	PortCount  int64  `json:"port_count"`

	Deckies     Texts `json:"deckies"`
	DeckyCount  int64 `json:"decky_count"`
	IsTraversal bool  `json:"is_traversal"`
	Path        Text  `json:"traversal_path"`
	Movement    struct {
		Dwell []Dwell `json:"dwell"`
	} `json:"movement"`

	Commands        []Command     `json:"commands"`
	CommandCount    int64         `json:"command_count"`
	Credentials     []Credential  `json:"credentials"`
	CredentialCount int64         `json:"credential_count"`
	LoginAttempts   int64         `json:"login_attempts"`
	LoginSuccesses  int64         `json:"login_successes"`
	LoginInferred   bool          `json:"login_inferred"`
	Fingerprints    []Fingerprint `json:"fingerprints"`
	Artifacts       []Artifact    `json:"artifacts"`
	Leaks           []Leak        `json:"ip_leaks"`
	Alerts          []Alert       `json:"alerts"`

	Claimed struct {
		Events   int64      `json:"event_count"`
		Kinds    Texts      `json:"kinds"`
		Evidence []Evidence `json:"evidence"`
		Commands []Command  `json:"commands"`
	} `json:"claimed"`

	Behavior struct {
		Class  Text `json:"class"`
		Timing struct {
			MeanIAT float64 `json:"mean_iat_s"`
		} `json:"timing"`
		Beacon struct {
			Score    float64 `json:"score"`
			Interval float64 `json:"interval_s"`
			Jitter   float64 `json:"jitter_pct"`
		} `json:"beacon"`
		Tools       Texts        `json:"tools"`
		Conclusions []Conclusion `json:"conclusions"`
		OS          Text         `json:"os_guess"`
		Distance    int64        `json:"hop_distance"`
	} `json:"behavior"`

	Campaign struct {
		Keys Texts `json:"keys"`
	} `json:"campaign"`

	Country Text `json:"country_code"`
	// CountryName and NetworkType are not in documents of older versions.
	CountryName   Text  `json:"country_name"`
	NetworkType   Text  `json:"network_type"`
	NetworkSource Text  `json:"network_type_source"`
	ASN           int64 `json:"asn"`
	ASName        Text  `json:"as_name"`
	ASNetwork     Text  `json:"as_network"`
	PTR           Text  `json:"ptr_record"`
	Scope         Text  `json:"scope"`
	Host          struct {
		Name Text `json:"name"`
	} `json:"host"`

	Risk struct {
		Score      float64  `json:"score"`
		Level      Text     `json:"level"`
		Stage      Text     `json:"stage"`
		Confidence Text     `json:"confidence"`
		HalfLife   float64  `json:"half_life_d"`
		Since      Since    `json:"since"`
		Reasons    []Reason `json:"reasons"`
	} `json:"risk"`

	Classification Text  `json:"classification"`
	Basis          Text  `json:"classification_basis"`
	Actor          Text  `json:"actor"`
	Sensors        Texts `json:"sensors"`
	Spoofable      bool  `json:"spoofable"`
	Transitions    struct {
		Observed  Time `json:"observed"`
		Traversal Time `json:"traversal"`
		Login     Time `json:"login_success"`
		HandsOn   Time `json:"hands_on"`
	} `json:"transitions"`

	Threat struct {
		Technique named `json:"technique"`
		Tactic    named `json:"tactic"`
		Software  named `json:"software"`
		Group     named `json:"group"`
		Indicator struct {
			FirstSeen   Time  `json:"first_seen"`
			LastSeen    Time  `json:"last_seen"`
			Sightings   int64 `json:"sightings"`
			Confidence  Text  `json:"confidence"`
			Description Text  `json:"description"`
			Marking     struct {
				TLP Text `json:"tlp"`
			} `json:"marking"`
		} `json:"indicator"`
	} `json:"threat"`

	Truncated Texts `json:"truncated"`

	// source is the document itself.
	source json.RawMessage
}

// The objects in a profile's lists.
type (
	// Port is a decoy's port that was connected to.
	Port struct {
		Transport Text  `json:"transport"`
		Port      int64 `json:"port"`
		Proven    bool  `json:"proven"`
		Count     int64 `json:"count"`
	}
	// Dwell is a stay on one decoy.
	Dwell struct {
		Decky   Text    `json:"decky"`
		First   Time    `json:"first"`
		Last    Time    `json:"last"`
		Seconds float64 `json:"seconds"`
		Events  int64   `json:"events"`
	}
	// Command is what was typed or sent.
	Command struct {
		Time    Time `json:"timestamp"`
		Service Text `json:"service"`
		Decky   Text `json:"decky"`
		Command Text `json:"command"`
	}
	// Credential is a principal with a secret.
	Credential struct {
		Service   Text  `json:"service"`
		Principal Text  `json:"principal"`
		Kind      Text  `json:"secret_kind"`
		Secret    *Text `json:"secret"`
		SHA256    Text  `json:"secret_sha256"`
		Count     int64 `json:"count"`
		FirstSeen Time  `json:"first_seen"`
		LastSeen  Time  `json:"last_seen"`
		Outcome   Text  `json:"outcome"`
	}
	// Fingerprint is how a client or a server looks from outside.
	Fingerprint struct {
		Type      Text  `json:"type"`
		Value     Text  `json:"value"`
		Count     int64 `json:"count"`
		FirstSeen Time  `json:"first_seen"`
		LastSeen  Time  `json:"last_seen"`
	}
	// Artifact is a file, a mail or a URL.
	Artifact struct {
		SHA256    Text  `json:"sha256"`
		URL       Text  `json:"url"`
		Kind      Text  `json:"kind"`
		Count     int64 `json:"count"`
		FirstSeen Time  `json:"first_seen"`
		LastSeen  Time  `json:"last_seen"`
	}
	// Leak is an address that the attacker's own headers claim.
	Leak struct {
		Address  Text  `json:"claimed_ip"`
		Header   Text  `json:"header"`
		Category Text  `json:"category"`
		Kind     Text  `json:"kind"`
		Count    int64 `json:"count"`
	}
	// Alert is a signature of an intrusion detector.
	Alert struct {
		Signature Text  `json:"signature"`
		Category  Text  `json:"category"`
		Side      Text  `json:"side"`
		Severity  int64 `json:"severity"`
		Count     int64 `json:"count"`
	}
	// Evidence is what claimed events show.
	Evidence struct {
		Kind      Text  `json:"kind"`
		Service   Text  `json:"service"`
		Type      Text  `json:"type"`
		Principal Text  `json:"principal"`
		Value     Text  `json:"value"`
		Count     int64 `json:"count"`
	}
	// Conclusion is what a rule concluded, and from what.
	Conclusion struct {
		Rule      Text  `json:"rule"`
		Why       Text  `json:"why"`
		Technique Text  `json:"technique"`
		Stage     Text  `json:"stage"`
		Saw       Text  `json:"saw"`
		AskedOnly bool  `json:"asked_only"`
		Count     int64 `json:"count"`
		FirstSeen Time  `json:"first_seen"`
		LastSeen  Time  `json:"last_seen"`
	}
	// Since has the time of the oldest evidence of each stage.
	Since struct {
		Looking    Time `json:"looking"`
		Attempting Time `json:"attempting"`
		Inside     Time `json:"inside"`
		Acting     Time `json:"acting"`
	}
	// Reason is why the risk is what it is.
	Reason struct {
		Reason   Text    `json:"reason"`
		Stage    Text    `json:"stage"`
		Points   float64 `json:"points"`
		Evidence Texts   `json:"evidence"`
	}
	named struct {
		ID   Texts `json:"id"`
		Name Texts `json:"name"`
	}
)

// errDamaged says that a document is none of Dossier's: somebody overwrote it.
var errDamaged = errors.New("the document can't be read: it isn't as Dossier writes it; restore it from a snapshot")

// decode reads a document. A field of another type than Dossier's is as if it
// were not there.
func decode(id string, source json.RawMessage) (*Profile, error) {
	p := &Profile{ID: id, source: source}
	err := json.Unmarshal(source, p)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !ok {
		return nil, errDamaged
	}
	if _, err := p.Network(); err != nil {
		return nil, errDamaged
	}
	return p, nil
}

// Network returns the address as a network, of one address where it is one.
func (p *Profile) Network() (netip.Prefix, error) { return parseNetwork(p.ID) }

func parseNetwork(id string) (netip.Prefix, error) {
	if strings.Contains(id, "/") {
		n, err := netip.ParsePrefix(id)
		return n.Masked(), err
	}
	a, err := netip.ParseAddr(id)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// MarshalJSON returns the document without its state, every text repaired.
func (p *Profile) MarshalJSON() ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(p.source))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	delete(doc, "state")
	if p.Verdict != nil {
		doc["verdict"] = p.Verdict
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(repaired(doc))
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// CurrentRisk returns what is left of the risk's score at now: it fades by
// half with each half-life since the last event.
func (p *Profile) CurrentRisk(now time.Time) float64 {
	return rules.Current(p.Risk.Score, p.Risk.HalfLife, now.Sub(p.LastSeen.Time).Hours()/24)
}

// Class returns the analysts' verdict, or else the classification.
func (p *Profile) Class() Text {
	if p.Verdict != nil {
		return p.Verdict.Verdict
	}
	return cmp.Or(p.Classification, "suspicious")
}
