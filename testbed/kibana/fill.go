// Package kibana proves saved objects of Kibana without a Kibana: every
// reference, place, control and drilldown of a dashboard, every field against
// what a node says of it, and every panel by the search that Kibana would send
// for it, rebuilt from the file and run on that node.
package kibana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"dossier/profile"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/sample"
)

// Fill has the plugin write the sample into the node's indices of the prefix.
// Beside its sensor two others told something once, one of which has trouble.
// Files are kept in dir.
func Fill(ctx context.Context, node *esnode.Node, plugin, prefix, dir string) error {
	chunks, _, err := sample.Chunks(sample.Files()...)
	if err != nil {
		return err
	}
	properties, err := sample.Databases(dir)
	if err != nil {
		return err
	}
	maps.Copy(properties, map[string]string{
		"es_hosts": node.URL, "index_prefix": prefix, "sensor_id": "decoys-1", "dead_letter_path": filepath.Join(dir, "dead-letters"),
	})
	h, err := host.Start(ctx, host.Options{Plugin: plugin, Workers: 2, Properties: properties})
	if err != nil {
		return err
	}
	defer h.Kill()
	errs := make(chan error, len(chunks))
	for i, c := range chunks {
		go func() {
			_, err := h.Deliver(ctx, fmt.Sprintf("decnet.%d", i), c, time.Second)
			errs <- err
		}()
	}
	for range chunks {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	if err := h.Exit(ctx); err != nil {
		return err
	}
	for i, beat := range []*profile.Heartbeat{
		{Sensor: "decoys-2", Version: "1.0.0", Started: sample.Begin.Add(-24 * time.Hour), RecordsIn: 48211, RecordsOut: 47030, ChunksIn: 96, ChunksOut: 96},
		{
			Sensor: "decoys-3", Version: "1.0.0", Started: sample.Begin, RecordsIn: 20931, RecordsOut: 18114, ChunksIn: 61, ChunksOut: 55, Unattributed: 1211, Unparsed: 1606,
			DeadLetters: 2, Retries: 6, Conflicts: 3, ExactnessAtRisk: 1, LastError: "dial tcp 10.0.0.5:9200: connect: no route to host", LastErrorAt: sample.End,
		},
	} {
		at := time.Now().Add(-time.Duration(i*3) * time.Hour)
		var body json.RawMessage = profile.AppendSensor(nil, at, beat)
		if status, answer, err := node.Do(ctx, "PUT", "/"+prefix+"-sensors/_doc/"+beat.Sensor, body); err != nil || status > 299 {
			return fmt.Errorf("a heartbeat: HTTP %d: %v: %w", status, answer, err)
		}
	}
	status, answer, err := node.Do(ctx, "POST", "/"+prefix+"-*/_refresh", nil)
	if err != nil || status != 200 {
		return fmt.Errorf("refresh: HTTP %d: %v: %w", status, answer, err)
	}
	return nil
}
