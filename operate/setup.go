package operate

import (
	"context"
	"time"

	"dossier/esindex"
)

// Setup brings templates, indices and alias into the cluster, and the month
// indices of this month and the next. It may run at any time and again. step
// is told of each thing as it is looked after.
func (t *Target) Setup(ctx context.Context, step func(esindex.Step)) error {
	steps, err := t.client.Install(ctx, t.templates)
	for _, s := range steps {
		step(s)
	}
	if err != nil {
		return err
	}
	now := t.now().UTC()
	next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{now, next} {
		for _, index := range t.months(at) {
			s, err := t.store.EnsureIndex(ctx, index)
			if err != nil {
				return err
			}
			step(s)
		}
	}
	return nil
}
