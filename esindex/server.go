package esindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// Product is the kind of server that answers.
type Product uint32

// The products. What one of them knows no other does is decided by these
// alone: requests and answers are the same otherwise.
const (
	// Unknown: nothing that says who it is has answered yet.
	Unknown Product = iota
	// Elasticsearch is Elastic's, on machines of one's own or managed.
	Elasticsearch
	// Serverless is Elastic's without nodes: it refuses settings and requests
	// about shards, nodes and the cluster's health.
	Serverless
	// OpenSearch is the fork of Elasticsearch 7.10.
	OpenSearch
)

func (p Product) String() string {
	return [...]string{"what answers", "Elasticsearch", "Elasticsearch Serverless", "OpenSearch"}[p]
}

// Least is the oldest version that keeps what is promised, "" for any.
func (p Product) Least() string {
	switch p {
	case Elasticsearch:
		return "8.7"
	case OpenSearch:
		// The first whose reads by id are those of the primary whatever the
		// replication (OpenSearch#8536).
		return "2.10"
	}
	return ""
}

// refusedByServerless says whether Serverless refuses a setting of an index.
func refusedByServerless(name string) bool {
	return name == string(Shards) || name == string(Replicas) || name == autoExpand || strings.HasPrefix(name, "translog.")
}

// dropRefused leaves out the settings that Serverless refuses, where it sees to
// shards, copies and durability itself.
func (k *kind) dropRefused() (err error) {
	s := settingsOf(k.settings)
	maps.DeleteFunc(s, func(name string, _ any) bool { return refusedByServerless(name) })
	k.settings, err = json.Marshal(s.body())
	return err
}

// server is what is known of who answers. It is found once, by the first
// answer that tells, and asked for wherever products differ.
type server struct {
	product atomic.Uint32
	// told says that a node was asked who it is: by its answers' headers
	// alone Serverless is Elasticsearch.
	told atomic.Bool
}

func (s *server) get() Product { return Product(s.product.Load()) }

// learn keeps what an answer's header says, and returns whether that names the
// server. OpenSearch's does from 3.x on.
func (s *server) learn(h http.Header) (named bool) {
	switch {
	case h.Get("X-Elastic-Product") == "Elasticsearch":
		if p := s.get(); p != Elasticsearch && p != Serverless {
			s.product.Store(uint32(Elasticsearch))
			s.told.Store(false)
		}
	case strings.HasPrefix(h.Get("X-OpenSearch-Version"), "OpenSearch/"):
		s.tell(OpenSearch)
	default:
		return false
	}
	return true
}

// tell keeps what a node said of itself.
func (s *server) tell(p Product) {
	s.product.Store(uint32(p))
	s.told.Store(true)
}

// about is what a node answers to GET /.
type about struct {
	Cluster string `json:"cluster_name"`
	Version struct {
		Number       string `json:"number"`
		Flavor       string `json:"build_flavor"`
		Distribution string `json:"distribution"`
	} `json:"version"`
}

func (a about) product() Product {
	switch {
	case a.Version.Distribution == "opensearch":
		return OpenSearch
	case a.Version.Flavor == "serverless":
		return Serverless
	}
	return Elasticsearch
}

// known says whether a 2xx answer without a name is one of a server that we can
// use. It is asked once whether it is OpenSearch, which before 3.x puts its name
// on no answer.
func (w *wire) known(req *http.Request) (bool, error) {
	if w.server.get() == OpenSearch {
		return true, nil
	}
	ask, err := http.NewRequestWithContext(req.Context(), http.MethodGet, "/", nil)
	if err != nil {
		return false, err
	}
	answer, err := w.send(ask, nil, false)
	if err != nil {
		return false, err
	}
	defer finish(answer.Body)
	var a about
	if answer.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&a) != nil || a.product() != OpenSearch {
		return false, nil
	}
	w.server.tell(OpenSearch)
	return true, nil
}

// Product returns the kind of server. It asks where nothing has told yet.
func (c *Client) Product(ctx context.Context) (Product, error) {
	if !c.wire.server.told.Load() {
		if _, err := c.Info(ctx); err != nil {
			return Unknown, err
		}
	}
	return c.wire.server.get(), nil
}

// Info is what a node says about itself.
type Info struct {
	Product Product
	Cluster string
	Version string
}

// Unfit returns an error where this server's version doesn't keep what is
// promised. A version that isn't known does.
func (i Info) Unfit() error {
	switch least := i.Product.Least(); {
	case i.Product == OpenSearch && strings.HasPrefix(i.Version, "7."):
		return &Error{
			Op: "connect", Reason: "OpenSearch says that it is Elasticsearch " + i.Version,
			Fix: "set compatibility.override_main_response_version to false in the cluster's settings",
		}
	case before(i.Version, least):
		return &Error{
			Op: "connect", Reason: fmt.Sprintf("%s %s; at least %s is needed", i.Product, i.Version, least),
			Fix: fmt.Sprintf("upgrade %s", i.Product),
		}
	}
	return nil
}

// before compares dotted versions by their first two numbers.
func before(version, than string) bool {
	number := func(s string) (out [2]int) {
		for i, part := range strings.SplitN(s, ".", 3)[:2] {
			out[i], _ = strconv.Atoi(part)
		}
		return out
	}
	if than == "" || strings.Count(version, ".") == 0 {
		return false // nothing to compare
	}
	v, t := number(version), number(than)
	return v[0] < t[0] || v[0] == t[0] && v[1] < t[1]
}

// Info asks a node who it is: the cheapest way to see whether addresses,
// certificates and credentials are right. Both names are empty where the
// credentials are good but lack the cluster privilege "monitor", which
// writing to Elasticsearch doesn't need.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var answer about
	err := c.call(ctx, "connect", request{http.MethodGet, "/", nil}, &answer)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusForbidden && e.Type == "security_exception" {
		// A refusal has no header that names the server, but words of its own:
		// OpenSearch's are "no permissions for [...]".
		if c.wire.server.get() == Unknown && strings.Contains(e.Reason, "] is unauthorized for ") {
			c.wire.server.product.Store(uint32(Elasticsearch))
		}
		if c.wire.server.get() == Unknown {
			e.Fix = "give these credentials cluster:monitor/main (GET /): OpenSearch before 3.x doesn't say otherwise who it is"
			return Info{}, e
		}
		c.wire.server.told.Store(true) // more can't be known
		return Info{Product: c.wire.server.get()}, nil
	}
	if err != nil {
		return Info{}, err
	}
	c.wire.server.tell(answer.product())
	return Info{answer.product(), oneLine(answer.Cluster), oneLine(answer.Version.Number)}, nil
}
