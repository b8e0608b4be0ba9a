package operate

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// elsewhere tells how much lies in the indices for times that belong to no
// month, and which months have their documents there for want of an index.
func (k *checker) elsewhere(ctx context.Context) {
	const subject = "other months"
	var counts []string
	total := 0
	for _, index := range k.others() {
		var found struct {
			Count int `json:"count"`
		}
		err := k.client.Call(ctx, "count in "+index, http.MethodPost, "/"+index+"/_count", nil, &found)
		switch {
		case isMissing(err):
			continue // said before
		case err != nil:
			k.failed(subject, err)
			return
		}
		total += found.Count
		counts = append(counts, fmt.Sprintf("%s %d", index, found.Count))
	}
	homes, err := k.store.Elsewhere(ctx)
	if err != nil {
		k.failed(subject, err)
		return
	}
	var months, coming []string
	for _, h := range homes {
		months = append(months, h.Month.Format("2006.01"))
		if h.Stays && !h.Month.Before(k.ahead(0)) {
			coming = append(coming, h.Index)
		}
	}
	slices.Sort(months)
	months = slices.Compact(months)
	if len(coming) > 0 {
		k.say(Warning, subject, "see which sensor's clock is years ahead, or whose key was stolen; docs/operations.md says under Months how to choose again",
			"documents of months that are not over go to the index for others: %s", first(coming))
	}
	switch {
	case total == 0:
		k.say(OK, subject, "", "nothing lies in the indices for times of no month")
	case len(months) == 0:
		k.say(OK, subject, "", "documents in the indices for times of no month: %s", strings.Join(counts, ", "))
	default:
		k.say(Note, subject, "", "documents in the indices for times of no month: %s; of %d months that have no index of their own: %s", strings.Join(counts, ", "), len(months), first(months))
	}
}
