package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"dossier/testbed/gen"
)

// bulk indexes the same lines one document each: as little as a program can
// do that keeps every line.
func (b *bench) bulk(ctx context.Context) error {
	const index, size = "bench-raw", 5000
	if err := b.drop(ctx, index); err != nil {
		return err
	}
	// The settings of Dossier's own indices.
	if _, err := b.ask(ctx, "PUT", "/"+index, map[string]any{
		"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "5s"},
		"mappings": map[string]any{"dynamic": false, "properties": map[string]any{
			"@timestamp": map[string]any{"type": "date"}, "log": map[string]any{"type": "text"},
		}},
	}); err != nil {
		return err
	}
	s, err := gen.New(uniform)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := b.sendAll(ctx, "/"+index, func(yield func([]byte) bool) {
		for done := 0; done < b.lines; done += size {
			var body bytes.Buffer
			for range min(size, b.lines-done) {
				line, err := json.Marshal(s.Lines(1)[0])
				if err != nil {
					panic(err) // of a string
				}
				fmt.Fprintf(&body, "{\"create\":{}}\n{\"@timestamp\":%d,\"log\":%s}\n", recordTime.UnixMilli(), line)
			}
			if !yield(body.Bytes()) {
				return
			}
		}
	}); err != nil {
		return err
	}
	took := time.Since(start)
	b.report.add(figure{
		What: "plain bulk, a document a line", Value: float64(b.lines) / took.Seconds(), Unit: "records/s",
		Note: fmt.Sprintf("bulks of %d, %d connections", size, connections),
	})
	disk, _, err := b.onDisk(ctx, index)
	if err != nil {
		return err
	}
	b.report.add(figure{What: "raw lines' index on disk", Value: disk, Unit: "bytes"})
	return b.drop(ctx, index)
}

// connections is how many _bulk requests are on their way at a time.
const connections = 2

// sendAll sends _bulk requests for path, some at a time.
func (b *bench) sendAll(ctx context.Context, path string, list iter.Seq[[]byte]) error {
	bodies := make(chan []byte, connections)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for body := range bodies {
				if err := b.sendBulk(ctx, path, body); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for body := range list {
		select {
		case bodies <- body:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(bodies)
	group.Wait()
	return context.Cause(ctx)
}

// sendBulk sends a _bulk request for path, "/index" or "" where the operations
// name theirs. One that fails is an error.
func (b *bench) sendBulk(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, "POST", b.node.URL+path+"/_bulk?filter_path=errors", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if b.node.User != "" {
		req.SetBasicAuth(b.node.User, b.node.Password)
	}
	res, err := b.node.Client().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && (res.StatusCode > 299 || !bytes.Contains(answer, []byte(`"errors":false`))) {
		err = fmt.Errorf("bulk: HTTP %d: %.300s", res.StatusCode, answer)
	}
	return err
}
