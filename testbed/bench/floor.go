package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dossier/correlate/commit"
	"dossier/testbed/memory"
)

// keeping is a store that keeps what is written, as plain bulk takes it, and
// writes nothing.
type keeping struct {
	memory.Nothing
	mu        sync.Mutex
	bodies    [][]byte // of requests
	documents int
}

// Write implements commit.Store.
func (k *keeping) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var body bytes.Buffer
	for i := range ops {
		fmt.Fprintf(&body, "{\"index\":{\"_index\":%q,\"_id\":%q}}\n%s\n", ops[i].Key.Index, ops[i].Key.ID, ops[i].Body)
	}
	k.bodies = append(k.bodies, body.Bytes())
	k.documents += len(ops)
	return k.Nothing.Write(ctx, ops)
}

// floor measures how long the node alone takes for the documents that Dossier
// writes: the requests of a run, kept in memory, are sent again by plain bulk.
// No engine that writes these documents can be faster.
func (b *bench) floor(ctx context.Context) error {
	for _, load := range b.chosenLoads() {
		s, err := newSource(load.o, b.lines)
		if err != nil {
			return err
		}
		prefix := "bench-floor-" + load.name
		k := &keeping{}
		if _, err := without(ctx, rigOptions{prefix: prefix, sensor: "bench", activity: true, store: k}, s.all(), b.workers); err != nil {
			return err
		}
		client, _, err := install(prefix, b.node.URL)
		if err != nil {
			return err
		}
		var took []time.Duration
		for round := range warmUps + b.rounds {
			if err := b.drop(ctx, prefix+"-*"); err != nil {
				return err
			}
			start := time.Now()
			if err := b.sendAll(ctx, "", slices.Values(k.bodies)); err != nil {
				return err
			}
			if round >= warmUps {
				took = append(took, time.Since(start))
			}
		}
		slices.Sort(took)
		median := took[len(took)/2]
		b.report.add(figure{
			What: "the documents alone, by plain bulk, " + load.name, Value: float64(b.lines) / median.Seconds(), Unit: "records/s",
			Note: fmt.Sprintf("%.2f s for %d documents in %d requests, 2 connections, median of %d", median.Seconds(), k.documents, len(k.bodies), len(took)),
		})
		if err := errors.Join(client.Close(), b.drop(ctx, prefix+"-*")); err != nil {
			return err
		}
	}
	return nil
}
