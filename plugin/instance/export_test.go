package instance

import (
	"time"

	"dossier/correlate/commit"
)

// Heartbeats makes those of the instance's target.
func Heartbeats(i *Instance) { i.target.heartbeats(time.Now(), time.Now()) }

// Committer is that of the instance's target.
func Committer(i *Instance) *commit.Committer { return i.target.committer }

// Incidents are the texts of the kinds of incidents.
func Incidents(kinds ...commit.IncidentKind) (texts []string) {
	for _, k := range kinds {
		texts = append(texts, incidents[k].text)
	}
	return texts
}
