package operate

import (
	"context"

	"dossier/profile"
)

// patterns are the names of this prefix's indices. <prefix>-* would take in
// those of a longer prefix.
func (t *Target) patterns() []string {
	var out []string
	for _, tt := range t.templates {
		out = append(out, tt.Pattern)
	}
	return out
}

// retiredAlias tells of an index that is still behind the alias which all
// prefixes had in common once.
func (k *checker) retiredAlias(ctx context.Context) {
	old, index := profile.RetiredAlias(k.o.IndexPrefix), k.indices.Attackers()
	if old == "" {
		return
	}
	on, err := k.client.HasAlias(ctx, index, old)
	switch {
	case isMissing(err): // said before
	case err != nil:
		k.failed("alias", err)
	case on:
		k.say(Warning, "alias", "run dossier setup as a user such as elastic",
			"%s still is %s as well, which all prefixes had in common: readers of other prefixes see these attackers", index, old)
	}
}
