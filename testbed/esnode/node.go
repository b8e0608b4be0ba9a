// Package esnode runs real nodes of Elasticsearch and OpenSearch for tests and
// the demo: one node or a cluster, with or without security and TLS, to be
// killed and restarted on kept data. Which server tests run on is said by
// DOSSIER_SERVER, one of Servers.
//
// A node runs in Docker where Docker works, else from a distribution that
// Maven fetches once (see Fetch). Nodes listen on loopback only. A node ends
// with the process that started it, however that ends; the one of Shared ends
// two minutes after the last test that used it; the ones of Open run until they
// are stopped.
package esnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"dossier/testbed/authority"
	"dossier/testbed/port"
)

// startLimit bounds how long one node may take to answer.
const startLimit = 3 * time.Minute

// Options says what node to start. The zero value is a single node with
// 512 MB of heap, without security.
type Options struct {
	// Server is what to start, one of Servers. The default is the one of
	// DOSSIER_SERVER, and without that DefaultServer.
	Server string
	// Name is the node's name: lower-case letters, digits and dashes.
	// Default "node".
	Name string
	// Dir is where configuration, logs and data are kept. It is not removed.
	// The default is a new folder, removed when the node is closed. Where the
	// launcher runs as root, user nobody must be able to reach it.
	Dir string
	// Port is the HTTP port on 127.0.0.1; a free one by default.
	Port int
	// Heap is the size of the Java heap as Java writes it. Default "512m".
	Heap string
	// Password turns security on and is the password of user elastic. There
	// is none of OpenSearch.
	Password string
	// TLS makes the node speak HTTPS with a certificate of its own authority
	// (Node.Authority). It needs Password.
	TLS bool
	// ClientCertificates makes the node refuse clients without a certificate
	// of Node.Authority. It needs TLS.
	ClientCertificates bool
	// Settings are further lines of elasticsearch.yml; they win over the
	// launcher's own.
	Settings map[string]string

	cluster clusterOptions
	brief   bool // it runs for a test, not for people or measurements
}

// clusterOptions are what makes a node part of a cluster.
type clusterOptions struct {
	name    string
	masters []string // names of the nodes that elect the first master
	roles   []string
	seeds   []string // transport addresses of all nodes
	port    int      // transport port, outside Docker
	network string   // Docker network
}

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}$`)
	heapForm = regexp.MustCompile(`^[0-9]+[mg]$`)
)

func (o *Options) complete() error {
	if o.Name == "" {
		o.Name = "node"
	}
	if o.Heap == "" {
		o.Heap = "512m"
	}
	switch {
	case !nameForm.MatchString(o.Name):
		return fmt.Errorf("esnode: name %q: use lower-case letters, digits and dashes", o.Name)
	case !heapForm.MatchString(o.Heap):
		return fmt.Errorf("esnode: heap %q: use a size such as 512m or 1g", o.Heap)
	case o.TLS && o.Password == "":
		return errors.New("esnode: TLS needs a Password: Elasticsearch has HTTPS only with security on")
	case o.ClientCertificates && !o.TLS:
		return errors.New("esnode: ClientCertificates needs TLS")
	}
	return nil
}

// firstMasters is the setting that names who elects a cluster's first master.
func (s server) firstMasters() string {
	if s.isOpenSearch() {
		return "cluster.initial_cluster_manager_nodes"
	}
	return "cluster.initial_master_nodes"
}

// settings returns the server's whole configuration but for paths and ports,
// which depend on where the node runs.
func (o *Options) settings(of server) map[string]string {
	s := map[string]string{
		"cluster.name": "dossier",
		"node.name":    o.Name,
		"cluster.routing.allocation.disk.threshold_enabled": "false",
	}
	if c := o.cluster; c.name != "" {
		s["cluster.name"] = c.name
		roles := strings.Join(c.roles, ",")
		if of.isOpenSearch() {
			roles = strings.ReplaceAll(roles, "master", "cluster_manager")
		}
		s["node.roles"] = "[" + roles + "]"
		s["discovery.seed_hosts"] = "[" + strings.Join(c.seeds, ",") + "]"
		s[of.firstMasters()] = "[" + strings.Join(c.masters, ",") + "]"
	} else {
		s["discovery.type"] = "single-node"
	}
	if of.isOpenSearch() {
		return s
	}
	s["xpack.security.enabled"] = "false"
	if o.Password != "" {
		s["xpack.security.enabled"] = "true"
		s["xpack.security.autoconfiguration.enabled"] = "false"
		s["xpack.security.enrollment.enabled"] = "false"
	}
	if o.TLS {
		s["xpack.security.http.ssl.enabled"] = "true"
		s["xpack.security.http.ssl.certificate"] = "http.crt"
		s["xpack.security.http.ssl.key"] = "http.key"
	}
	if o.ClientCertificates {
		s["xpack.security.http.ssl.client_authentication"] = "required"
		s["xpack.security.http.ssl.certificate_authorities"] = "ca.crt"
	}
	return s
}

// lifetime says who ends a node.
type lifetime int

const (
	owned    lifetime = iota // ends with the process that started it
	shared                   // ends some time after the last process that uses it
	detached                 // runs until it is stopped
)

// runner runs one node's process: from the unpacked distribution or in Docker.
type runner interface {
	// start begins the process on kept data; it need not be ready yet.
	start(ctx context.Context) error
	// signal sends TERM, KILL, STOP or CONT.
	signal(sig syscall.Signal) error
	alive() bool
	// logs returns the node's last words.
	logs() string
	// remove ends what is left of the process. Its data stays.
	remove()
	// purge removes data that is kept outside the node's folder.
	purge()
}

// Node is a node of Elasticsearch or OpenSearch. Its methods may be called concurrently, but
// for Stop, Kill, Restart and Close.
type Node struct {
	record
	authority *authority.Authority
	client    *http.Client

	runner runner
	use    *os.File // held while this process uses the node
	mu     sync.Mutex
	ours   bool // this process may end it
}

// record is what other processes have to know of a node: node.json in its folder.
type record struct {
	Name     string
	Server   string
	Product  string
	Backend  string
	URL      string
	Port     int
	Dir      string
	KeepDir  bool
	Data     string // the folder of its data, outside Docker
	User     string
	Password string
}

func (r *record) write() error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// Renamed into place, so that nobody reads half of it.
	path := filepath.Join(r.Dir, "node.json")
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func readRecord(dir string) (record, error) {
	var r record
	b, err := os.ReadFile(filepath.Join(dir, "node.json"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

// Start starts a node of its own for this process and waits until it answers.
// ELASTICSEARCH_URL is not looked at: the caller means to do things to this
// node that nobody does to a node of somebody else's.
func Start(ctx context.Context, o Options) (*Node, error) {
	return start(ctx, o, owned, true)
}

func start(ctx context.Context, o Options, life lifetime, wait bool) (*Node, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	server, err := lookUp(o.Server)
	if err != nil {
		return nil, err
	}
	if server.isOpenSearch() && o.Password != "" {
		return nil, errNoSecurity
	}
	b, err := chooseBackend(ctx, server)
	if err != nil {
		return nil, err
	}
	o.brief = life != detached
	n := &Node{ours: true}
	n.Name, n.Backend, n.Port, n.Dir = o.Name, b.name, o.Port, o.Dir
	n.Server, n.Product = server.name, server.product
	n.KeepDir = o.Dir != "" && life != shared
	if n.Dir == "" {
		n.Dir, err = newDir(o.Name)
	} else if n.Dir, err = filepath.Abs(n.Dir); err == nil {
		err = mkdirAll(n.Dir)
	}
	if err != nil {
		return nil, err
	}
	n.Data = filepath.Join(n.Dir, "data")
	if b.name == "java" && life != detached && !n.KeepDir {
		if inMemory, err := memoryDir(o.Name); err == nil {
			n.Data = inMemory
		}
	}
	n.runner = b.runner(n, o)
	if err = n.prepare(ctx, o, life); err == nil {
		err = n.launch(ctx, wait)
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// prepare does all that comes before the process: port, certificate, record
// and reaper.
func (n *Node) prepare(ctx context.Context, o Options, life lifetime) (err error) {
	if n.Port == 0 {
		if n.Port, err = port.Free(); err != nil {
			return err
		}
	}
	n.URL = fmt.Sprintf("http://127.0.0.1:%d", n.Port)
	if o.Password != "" {
		n.User, n.Password = "elastic", o.Password
	}
	if o.TLS {
		n.URL = fmt.Sprintf("https://127.0.0.1:%d", n.Port)
		if n.authority, err = authority.Open(filepath.Join(n.Dir, "authority")); err != nil {
			return err
		}
		if err := n.RotateCertificate(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(n.confDir(), "ca.crt"), n.authority.CA(), 0o644); err != nil {
			return err
		}
	}
	if n.client, err = n.newClient(); err != nil {
		return err
	}
	if err := n.write(); err != nil {
		return err
	}
	if life != detached {
		if n.use, err = lockUse(ctx, n.Dir); err != nil {
			return err
		}
		if err := startReaper(n.Dir, life); err != nil {
			return err
		}
	}
	return nil
}

// launch starts the process and waits until it answers.
func (n *Node) launch(ctx context.Context, wait bool) error {
	if err := n.runner.start(ctx); err != nil {
		return fmt.Errorf("esnode: %s did not start: %w", n.Name, err)
	}
	if !wait {
		return nil
	}
	return n.WaitFor(ctx, "yellow")
}

// WaitFor waits until the node answers and its cluster has at least the given
// status, yellow or green.
func (n *Node) WaitFor(ctx context.Context, status string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		code, _, err := n.Do(ctx, "GET", "/_cluster/health?timeout=5s&wait_for_status="+status, nil)
		if err == nil && code == 200 {
			return nil
		}
		if n.runner != nil && !n.runner.alive() {
			return fmt.Errorf("esnode: %s ended while starting:\n%s", n.Name, n.runner.logs())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("esnode: %s is not %s in time (HTTP %d, %v):\n%s", n.Name, status, code, err, n.logs())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (n *Node) logs() string {
	if n.runner == nil {
		return ""
	}
	return n.runner.logs()
}

// errNotOurs is returned where a test would end a node that others use.
var errNotOurs = errors.New("esnode: this node is shared with others; start one with Start to stop, kill or restart it")

// end ends the process by the signal, and waits until it is gone.
func (n *Node) end(ctx context.Context, sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ours || n.runner == nil {
		return errNotOurs
	}
	if !n.runner.alive() {
		return nil
	}
	if err := n.runner.signal(sig); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for n.runner.alive() {
		if ctx.Err() != nil || time.Now().After(deadline) {
			n.runner.signal(syscall.SIGKILL)
			if time.Now().After(deadline.Add(10 * time.Second)) {
				return fmt.Errorf("esnode: %s does not end", n.Name)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.client.CloseIdleConnections()
	return ctx.Err()
}

// Stop ends the node in good order. Restart brings it back on its data.
func (n *Node) Stop(ctx context.Context) error { return n.end(ctx, syscall.SIGTERM) }

// Kill ends the node as a crash does. Restart brings it back on its data.
func (n *Node) Kill() error { return n.end(context.Background(), syscall.SIGKILL) }

// Pause freezes the node: connections are accepted by the kernel and never
// answered. Resume lets it go on.
func (n *Node) Pause() error {
	if !n.ours || n.runner == nil {
		return errNotOurs
	}
	return n.runner.signal(syscall.SIGSTOP)
}

// Resume lets a paused node go on.
func (n *Node) Resume() error {
	if !n.ours || n.runner == nil {
		return errNotOurs
	}
	return n.runner.signal(syscall.SIGCONT)
}

// Restart starts the node again on its data and the same port, after Stop or
// Kill; a node that still runs is stopped first. It waits until the node
// answers.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.end(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return n.launch(ctx, true)
}

// Close stops the node and removes its folder, unless Options.Dir named it. A
// node that others use as well, or that is not ours, is only let go.
func (n *Node) Close() error {
	if n.client != nil {
		n.client.CloseIdleConnections()
	}
	defer func() {
		if n.use != nil {
			n.use.Close()
			n.use = nil
		}
	}()
	if !n.ours {
		return nil
	}
	if n.runner != nil {
		if err := n.end(context.Background(), syscall.SIGKILL); err != nil {
			return err
		}
		n.runner.remove()
	}
	if n.KeepDir {
		err := os.Remove(filepath.Join(n.Dir, "node.json"))
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	return n.removeData()
}

// Purge is Close, and removes a kept folder too.
func (n *Node) Purge() error {
	if err := n.Close(); err != nil || !n.ours {
		return err
	}
	return n.removeData()
}

func (n *Node) removeData() error {
	if n.runner != nil {
		n.runner.purge()
	}
	return os.RemoveAll(n.Dir)
}

// Running says whether the node's process is there.
func (n *Node) Running() bool { return n.runner == nil || n.runner.alive() }

// Authority returns what signed the node's certificate, nil without TLS.
func (n *Node) Authority() *authority.Authority { return n.authority }

// RotateCertificate gives the node a new certificate of the same authority. A
// running node picks it up within about five seconds.
func (n *Node) RotateCertificate() error {
	crt, key, err := n.authority.Server("localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	if err := mkdirAll(n.confDir()); err != nil {
		return err
	}
	// Written in place: a container sees the file itself, not its name. The
	// key first: the node reloads when the pair fits again.
	if err := os.WriteFile(filepath.Join(n.confDir(), "http.key"), key, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.confDir(), "http.crt"), crt, 0o644)
}

func (n *Node) confDir() string { return filepath.Join(n.Dir, "conf") }

// newDir makes a new folder for a node's state in the cache folder.
func newDir(name string) (string, error) {
	nodes, err := nodesDir()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(nodes, name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// memoryFolder is where data is kept in memory; so much of that must be free.
const (
	memoryFolder = "/dev/shm"
	memoryRoom   = 4 << 30
)

// memoryDir makes a new folder in memory for the data of a node that ends with
// its tests. It fails where there is no room. A process that is killed finds
// there what it wrote, as on a disk, and an index is made in half the time.
func memoryDir(name string) (string, error) {
	var folder syscall.Statfs_t
	if err := syscall.Statfs(memoryFolder, &folder); err != nil {
		return "", err
	}
	const tmpfs = 0x01021994
	if free := min(int64(folder.Bavail)*folder.Bsize, availableMemory()); folder.Type != tmpfs || free < memoryRoom {
		return "", fmt.Errorf("esnode: %d MiB are free for %s", free>>20, memoryFolder)
	}
	return os.MkdirTemp(memoryFolder, "dossier-"+name+"-")
}

// availableMemory is what can be had without swapping, in bytes; 0 where the
// kernel doesn't say.
func availableMemory() int64 {
	b, _ := os.ReadFile("/proc/meminfo")
	_, after, _ := strings.Cut(string(b), "MemAvailable:")
	line, _, _ := strings.Cut(after, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return n << 10
}

func nodesDir() (string, error) {
	folder, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(folder, "nodes")
	return dir, mkdirAll(dir)
}

// IsOpenSearch says whether the node is one of OpenSearch.
func (n *Node) IsOpenSearch() bool { return n.Product == openSearch }

// settingsFile writes settings as elasticsearch.yml and opensearch.yml are.
func settingsFile(s map[string]string) []byte {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s: %s\n", k, s[k])
	}
	return []byte(b.String())
}
