package target

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"dossier/correlate"
	"dossier/correlate/law"
	"dossier/plugin/options"
	"dossier/profile/enrich"
)

// Judge renders attackers' documents anew from their stored states, with the rules,
// lists and databases of the options. It is not safe for concurrent use.
type Judge struct {
	t            *Target
	anew         *correlate.Anew
	names        *enrich.Names
	rules, lists string
}

// NewJudge opens what documents are rendered with, and reads the prefix's list key.
// Names of addresses are asked of nobody: Judge is told them.
func NewJudge(ctx context.Context, link *Connection, h Host) (*Judge, error) {
	o := link.Options
	o.PTR = false
	t := &Target{o: o, log: h.Logger, names: enrich.KnownNames()}
	if err := t.openFiles(); err != nil {
		return nil, err
	}
	key, err := link.Client.ListKey(ctx, link.Templates)
	if err != nil {
		t.closeFiles()
		return nil, err
	}
	set, err := readRules(o)
	if err != nil {
		t.closeFiles()
		return nil, err
	}
	return &Judge{
		t: t, anew: correlate.NewAnew(t.renderer, law.NewRank(key)), names: t.names,
		rules: set.Version(), lists: set.ScannersDate(),
	}, nil
}

// Close closes what NewJudge opened.
func (j *Judge) Close() { j.t.closeFiles() }

// Version returns the version of the rules and the date of the lists.
func (j *Judge) Version() (rules, lists string) { return j.rules, j.lists }

// Left returns how many parts of documents failed and were left out.
func (j *Judge) Left() int64 { return j.t.leftOut.Load() }

// Tell has the judge know the name that an address had.
func (j *Judge) Tell(addr netip.Addr, name string, confirmed bool) {
	j.names.Tell(addr, name, confirmed)
}

// AppendAttacker appends the document of an attacker, rendered anew.
func (j *Judge) AppendAttacker(dst []byte, id string, stored []byte, now time.Time) ([]byte, error) {
	return j.anew.AppendAttacker(dst, id, stored, now)
}

// AppendIndicatorWithout appends the document of an indicator without one attacker,
// and says whether that was in it.
func (j *Judge) AppendIndicatorWithout(dst []byte, kind, value, attacker string, stored []byte, now time.Time) ([]byte, bool, error) {
	return j.anew.AppendIndicatorWithout(dst, kind, value, attacker, stored, now)
}

// Lacks returns the option of a database or list whose fields a document has and these
// options would leave out, "" where there is none.
func Lacks(o options.Options, country, asn bool, typeSource string) string {
	switch {
	case country && o.GeoIPDB == "":
		return "geoip_db"
	case asn && o.ASNDB == "":
		return "asn_db"
	case typeSource != "" && !strings.HasPrefix(typeSource, enrich.BuiltIn) && o.NetworkTypes == "":
		return "network_types"
	}
	return ""
}
