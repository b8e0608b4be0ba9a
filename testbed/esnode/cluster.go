package esnode

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"dossier/testbed/port"
)

// Cluster is several nodes that hold the same data.
type Cluster struct {
	// Nodes are the data nodes c1, c2, ... and, last, the tie-breaker if
	// there is one.
	Nodes   []*Node
	data    int
	network string
}

// ClusterOptions says what cluster to start.
type ClusterOptions struct {
	// Nodes is the number of data nodes, 2 by default.
	Nodes int
	// Tiebreaker adds a small node that only votes: any one node may die and
	// the rest goes on. Without it, and with two nodes, only c1 can be
	// master: c2 may die at any time, while without c1 nothing is written.
	Tiebreaker bool
	// Node is what all nodes have in common; Name, Dir and Port are not used.
	Node Options
}

// StartCluster starts the nodes in parallel and waits until all have joined
// and the cluster is green.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 2
	}
	if o.Nodes < 2 || o.Nodes > 5 {
		return nil, fmt.Errorf("esnode: a cluster of %d nodes: use 2 to 5", o.Nodes)
	}
	server, err := lookUp(o.Node.Server)
	if err != nil {
		return nil, err
	}
	b, err := chooseBackend(ctx, server)
	if err != nil {
		return nil, err
	}
	var id [4]byte
	rand.Read(id[:])
	common := clusterOptions{name: "dossier-" + hex.EncodeToString(id[:])}
	cluster := &Cluster{data: o.Nodes}
	if b.name == "docker" {
		if out, err := exec.CommandContext(ctx, "docker", "network", "create", common.name).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("esnode: docker network create: %w: %s", err, out)
		}
		cluster.network, common.network = common.name, common.name
	}
	total := o.Nodes
	if o.Tiebreaker {
		total++
	}
	members := make([]Options, total)
	for i := range members {
		m := o.Node
		m.Name, m.Dir, m.Port = fmt.Sprintf("c%d", i+1), "", 0
		m.cluster = common
		m.cluster.roles = []string{"master", "data", "ingest"}
		switch {
		case i == o.Nodes:
			m.cluster.roles = []string{"master"}
			m.Heap = "256m"
		case total == 2 && i == 1:
			m.cluster.roles = []string{"data", "ingest"}
		}
		if b.name == "java" {
			if m.cluster.port, err = port.Free(); err != nil {
				return nil, err
			}
		}
		members[i] = m
	}
	var masters, seeds []string
	for _, m := range members {
		if m.cluster.roles[0] == "master" {
			masters = append(masters, m.Name)
		}
		if b.name == "java" {
			seeds = append(seeds, fmt.Sprintf("127.0.0.1:%d", m.cluster.port))
		} else {
			seeds = append(seeds, m.Name)
		}
	}
	cluster.Nodes = make([]*Node, total)
	errs := make([]error, total)
	var wg sync.WaitGroup
	for i, m := range members {
		m.cluster.masters, m.cluster.seeds = masters, seeds
		wg.Go(func() { cluster.Nodes[i], errs[i] = start(ctx, m, owned, false) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		cluster.Close()
		return nil, err
	}
	if err := cluster.WaitGreen(ctx); err != nil {
		cluster.Close()
		return nil, err
	}
	return cluster, nil
}

// WaitGreen waits until all nodes are in the cluster and every shard has its
// replica. Before that, killing a node may lose data that has no copy.
func (c *Cluster) WaitGreen(ctx context.Context) error {
	for _, n := range c.Nodes {
		if err := n.WaitFor(ctx, fmt.Sprintf("green&wait_for_nodes=%d", len(c.Nodes))); err != nil {
			return err
		}
	}
	return nil
}

// URLs returns the addresses of the data nodes.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, n := range c.Nodes[:c.data] {
		urls = append(urls, n.URL)
	}
	return urls
}

// Close ends all nodes.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	if c.network != "" {
		exec.Command("docker", "network", "rm", c.network).Run()
	}
	return errors.Join(errs...)
}

// RequireCluster starts a cluster for the test and closes it at the end. It
// skips and fails as Require does.
func RequireCluster(t testing.TB, o ClusterOptions) *Cluster {
	t.Helper()
	c, err := StartCluster(t.Context(), o)
	if err != nil {
		FailOrSkip(t, err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
