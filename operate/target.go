// Package operate is what an operator does to the indices of Dossier: set
// them up, check them, delete what has expired, and bring dead letters back.
package operate

import (
	"fmt"
	"strings"
	"time"

	"dossier/correlate"
	"dossier/correlate/event"
	"dossier/esindex"
	"dossier/plugin/options"
	"dossier/target"
)

// Target is one index prefix on one cluster.
type Target struct {
	o         options.Options
	version   string
	link      *target.Connection
	indices   correlate.Indices
	client    *esindex.Client
	store     *esindex.Store
	templates []esindex.Template
	now       func() time.Time
}

// Open returns the target of the options. It sends nothing. version is that
// of the command.
func Open(o options.Options, version string) (*Target, error) {
	link, err := target.Connect(o, version)
	if err != nil {
		return nil, err
	}
	return &Target{
		o: o, version: version, link: link, indices: link.Indices,
		client: link.Client, store: link.Store, templates: link.Templates, now: time.Now,
	}, nil
}

// Close ends the connections.
func (t *Target) Close() error { return t.link.Close() }

// String names the target: its nodes and indices.
func (t *Target) String() string {
	where := strings.Join(t.o.Hosts, " ")
	if where == "" {
		name, _, _ := strings.Cut(t.o.CloudID, ":")
		where = "cloud " + name
	}
	return fmt.Sprintf("%s, indices %s-*", where, t.o.IndexPrefix)
}

// months returns the month indices that are written to in the month of at.
func (t *Target) months(at time.Time) []string {
	when := event.FromTime(at)
	return []string{
		t.indices.Activity(when, false),
		t.indices.Transitions(when, false),
		t.indices.Ledger(uint32(at.Unix() / 60)),
	}
}

// others returns the indices of times that belong to no month.
func (t *Target) others() []string {
	return []string{t.indices.Activity(0, true), t.indices.Transitions(0, true), t.indices.Ledger(0)}
}

// ahead returns the beginning of the month that comes n months after this one.
func (t *Target) ahead(n int) time.Time {
	now := t.now().UTC()
	return time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
}
