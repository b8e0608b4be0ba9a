package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The flags that others call explain with come with one dash or two.
func TestExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.jsonl")
	record := `{"log":"{\"type\":\"Suricata\",\"event_type\":\"tls\",\"flow_id\":1,\"src_ip\":\"192.0.2.1\",\"dest_ip\":\"10.0.0.5\",\"proto\":\"TCP\",\"timestamp\":\"2026-11-26T10:00:00Z\"}"}`
	if err := os.WriteFile(file, []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"explain", "--profiles", "-form", "record", "-decoys", "10.0.0.0/8", "-maps", "@P/../../conf/field_maps/dionaea.yaml", file},
		{"explain", "-profiles", "--form=record", "--decoy-nets", "10.0.0.0/8", "--field-map", "../../conf/field_maps/dionaea.yaml", file},
	} {
		out, errs, status := dossier(t, nil, args...)
		if status != 0 || errs != "" {
			t.Errorf("%q: status %d, %s", args, status, errs)
		}
		contains(t, out, `DOC {"@timestamp":"2026-11-26T10:00:00.000000Z","ip":"192.0.2.1"`, "RESULT 1 records, 1 events")
	}
	out, _, status := dossier(t, nil, "explain", "-form", "record", "-decoys", "192.0.2.0/24", "--time", "2026-11-27T00:00:00Z", file)
	if contains(t, out, "attacker 10.0.0.5", "the decoy opened the connection"); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, args := range [][]string{{"explain", "-form", "x", file}, {"explain", "--time", "x", file}, {"explain", file + "x"}, {"explain", "--es-hosts", "x", file}} {
		if _, errs, status := dossier(t, nil, args...); status != 1 || errs == "" {
			t.Errorf("%q: status %d, %q", args, status, errs)
		}
	}
	// It asks no cluster, so it says nothing of how one is reached.
	link := []string{"DOSSIER_ES_HOSTS=nonsense", "DOSSIER_ES_USER=elastic", "DOSSIER_CACHE_SIZE=x"}
	if _, errs, status := dossier(t, link, "explain", "-form", "record", file); status != 0 || errs != "" {
		t.Errorf("with what other commands read: status %d, %s", status, errs)
	}
	if _, errs, status := dossier(t, []string{"DOSSIER_DIALECT=x"}, "explain", "-form", "record", file); status != 1 {
		t.Errorf("with a wrong dialect: status %d, %s", status, errs)
	}
}
