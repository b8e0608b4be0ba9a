package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// Three nodes: set up by the command, written through all of them, the elected
// master killed meanwhile, and everything as on one node without a fault.
func TestMasterOfThreeIsLost(t *testing.T) {
	long(t)
	chunks := e2e.Cut(sampleLines(t), 40)
	want := ofSample(t)
	start := time.Now()
	cluster := esnode.RequireCluster(t, esnode.ClusterOptions{Nodes: 3, Node: esnode.Options{Heap: "512m"}})
	t.Logf("three nodes green after %.1f s", time.Since(start).Seconds())
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, strings.Join(cluster.URLs(), " "), prefix, map[string]string{"commit_timeout": "3s", "manage_templates": "off"})

	o, err := options.Parse(func(key string) string { return properties[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	target, err := operate.Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	steps := 0
	if err := target.Setup(t.Context(), operate.Setup{}, func(esindex.Step) { steps++ }); err != nil {
		t.Fatal(err)
	}
	well := func(nodes int) {
		t.Helper()
		var findings []string
		target.Check(t.Context(), operate.Check{Role: "setup"}, func(f operate.Finding) {
			findings = append(findings, f.String())
			if f.Level == operate.Failure {
				t.Error(f)
			}
		})
		if all := strings.Join(findings, "\n"); !strings.Contains(all, fmt.Sprintf("%d nodes within", nodes)) {
			t.Errorf("not %d nodes:\n%s", nodes, all)
		}
	}
	if err := cluster.WaitGreen(t.Context()); err != nil {
		t.Fatal(err)
	}
	well(3)
	settings := cluster.Nodes[0].Must(t, "GET", "/"+prefix+"-attackers/_settings?flat_settings=true", nil)
	if s := fmt.Sprint(settings); !strings.Contains(s, "index.number_of_replicas:1") {
		t.Errorf("no replica: %s", s)
	}

	h := e2e.StartHost(t, host.Options{Workers: 4, Properties: properties})
	delivered := make(chan struct{})
	attempts := 0
	go func() {
		defer close(delivered)
		for _, c := range e2e.Shuffle(chunks, 3) {
			n, err := h.Deliver(t.Context(), c.Tag, c.Data, 200*time.Millisecond)
			attempts += n
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	time.Sleep(2 * time.Second)
	// Before that, killing a node may lose what has no copy.
	if err := cluster.WaitGreen(t.Context()); err != nil {
		t.Fatal(err)
	}
	master := master(t, cluster)
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-delivered:
	case <-time.After(3 * time.Minute):
		t.Fatal("the backlog was not delivered within three minutes")
	}
	t.Logf("%s, the master of three, killed: %d chunks took %d attempts", master.Name, len(chunks), attempts)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	well(2)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := master.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitGreen(ctx); err != nil {
		t.Fatal(err)
	}
	well(3)
	if err := target.Setup(t.Context(), operate.Setup{}, func(s esindex.Step) {
		if strings.Contains(s.Done, "created") {
			t.Errorf("made again: %s", s)
		}
	}); err != nil || steps == 0 {
		t.Error(steps, err)
	}
	equal(t, want, documents(t, master, prefix))
}

// master returns the node that is elected.
func master(t *testing.T, c *esnode.Cluster) *esnode.Node {
	t.Helper()
	state := c.Nodes[0].Must(t, "GET", "/_cluster/state/master_node,nodes", nil)
	id, _ := state["master_node"].(string)
	node, _ := state["nodes"].(map[string]any)[id].(map[string]any)
	for _, n := range c.Nodes {
		if n.Name == node["name"] {
			return n
		}
	}
	t.Fatalf("no master in %v", state)
	return nil
}
