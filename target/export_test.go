package target

import (
	"time"

	"dossier/correlate/commit"
)

// Only returns the pool's target with that index prefix.
func Only(p *Pool, prefix string) *Target {
	for _, t := range p.targets.Values() {
		if t.o.IndexPrefix == prefix {
			return t
		}
	}
	return nil
}

// Heartbeats makes those of the target.
func Heartbeats(t *Target) { t.heartbeats(time.Now(), time.Now()) }

// Committer is that of the target.
func Committer(t *Target) *commit.Committer { return t.committer }

// Incidents are the texts of the kinds of incidents.
func Incidents(kinds ...commit.IncidentKind) (texts []string) {
	for _, k := range kinds {
		texts = append(texts, incidents[k].text)
	}
	return texts
}
