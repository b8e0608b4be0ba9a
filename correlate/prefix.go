package correlate

import "strings"

// kinds are what the names of a prefix's indices go on with after the prefix
// and a dash. Those of months have more after another dash.
var kinds = []string{"attackers", "smtp-targets", "indicators", "activity", "transitions", "sensors", "chunks"}

// PrefixKind returns the kind of index that names of the prefix would be taken
// for, "" where there is none: the indices of the prefix dossier-activity fall
// under dossier-activity-*, which is the prefix dossier's. Prefixes without
// such a part in them are apart, whatever they are.
func PrefixKind(prefix string) string {
	for _, k := range kinds {
		if strings.Contains(prefix+"-", "-"+k+"-") {
			return k
		}
	}
	return ""
}

// ClaimedBy returns the beginning of names that Elasticsearch's own templates
// claim and that all indices of the prefix would have, "" where there is none:
// logs-smtp-targets would match logs-*-* and become a data stream.
func ClaimedBy(prefix string) string {
	first, _, _ := strings.Cut(prefix, "-")
	switch first {
	case "logs", "metrics", "traces", "synthetics", "profiling":
		return first
	}
	return ""
}
