package correlate

import (
	"fmt"
	"regexp"
	"strings"
)

var prefixForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// ValidatePrefix says why indices can't be named after prefix, nil where they can.
func ValidatePrefix(prefix string) error {
	if !prefixForm.MatchString(prefix) {
		return fmt.Errorf("index prefix %q: allowed are at most 100 of a-z, 0-9, '.', '_' and '-', a letter or digit first", prefix)
	}
	if claimed := ClaimedBy(prefix); claimed != "" {
		return fmt.Errorf("index prefix %q: its indices would fall under Elasticsearch's own pattern %s-*-*; choose a prefix that doesn't begin with %q", prefix, claimed, claimed)
	}
	if k := PrefixKind(prefix); k != "" {
		return fmt.Errorf("index prefix %q: its indices would be taken for the %s of another prefix; choose one without -%s", prefix, k, k)
	}
	return nil
}

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
