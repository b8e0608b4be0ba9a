package esnode

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain starts a node and waits to be killed where TestNodeEndsWithItsOwner
// runs this program again; else it runs the tests.
func TestMain(m *testing.M) {
	if os.Getenv("ESNODE_TEST_OWNER") == "" {
		os.Exit(m.Run())
	}
	n, err := start(context.Background(), Options{Name: "orphan", Heap: "256m"}, owned, false)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("started", n.URL, n.Dir, n.Data)
	select {}
}

func TestOptions(t *testing.T) {
	for _, bad := range []Options{
		{Name: "Upper"}, {Name: "../x"}, {Heap: "lots"}, {TLS: true}, {ClientCertificates: true, Password: "x"},
	} {
		if err := bad.complete(); err == nil {
			t.Errorf("%+v: accepted", bad)
		}
	}
	var o Options
	if err := o.complete(); err != nil || o.Name != "node" || o.Heap != "512m" {
		t.Errorf("defaults: %+v, %v", o, err)
	}
}

func TestServers(t *testing.T) {
	t.Setenv(serverEnv, "")
	for name, want := range map[string]string{
		"": "Elasticsearch 8.19.13", "elasticsearch": "Elasticsearch 8.19.13", "9.4": "Elasticsearch 9.4.3",
		"opensearch": "OpenSearch 2.19.6", "OpenSearch-3.9": "OpenSearch 3.9.0",
	} {
		if s, err := lookUp(name); err != nil || s.String() != want {
			t.Errorf("%q: %v, %v, want %s", name, s, err, want)
		}
	}
	if _, err := lookUp("7.10"); err == nil || !strings.Contains(err.Error(), "opensearch-2.19") {
		t.Errorf("an unknown server: %v", err)
	}
	if _, err := Start(t.Context(), Options{Server: "opensearch", Password: "x"}); !errors.Is(err, errNoSecurity) {
		t.Errorf("OpenSearch with a password: %v", err)
	}
	t.Setenv(serverEnv, "opensearch")
	if s, err := lookUp(""); err != nil || !s.isOpenSearch() {
		t.Errorf("%s: %v, %v", serverEnv, s, err)
	}
}

// A Java is taken by its version: a server that needs a newer one isn't started
// with an old one, which would end it at once.
func TestJavaHome(t *testing.T) {
	homes := map[int]string{}
	for _, version := range []string{"1.8.0_452", "17.0.15", "21", "25.0.3"} {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, "release"), []byte("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\""+version+"\"\nJAVA_VERSION_DATE=\"2026-04-21\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		homes[javaVersion(home)] = home
	}
	if len(homes) != 4 || homes[8] == "" || homes[17] == "" || homes[21] == "" || homes[25] == "" {
		t.Fatalf("versions: %v", homes)
	}
	t.Setenv("ES_JAVA_HOME", homes[17])
	t.Setenv("JAVA_HOME", homes[25])
	for least, want := range map[int]string{17: homes[17], 21: homes[25]} {
		if got, err := javaHome(least); err != nil || got != want {
			t.Errorf("at least %d: %s, %v, want %s", least, got, err, want)
		}
	}
	if got, err := javaHome(99); !errors.Is(err, errNoJava) || !strings.Contains(err.Error(), "17") {
		t.Errorf("at least 99: %s, %v", got, err)
	}
}

func TestSharedIsOneNode(t *testing.T) {
	n := Shared(t)
	if again := Shared(t); again != n {
		t.Error("two nodes in one process")
	}
	info := n.Must(t, "GET", "/", nil)
	if n.Backend == "external" {
		return
	}
	version, _ := info["version"].(map[string]any)
	if want, err := lookUp(""); err != nil || version["number"] != want.version || n.IsOpenSearch() != (version["distribution"] == "opensearch") {
		t.Errorf("version: %v, want %s, %v", version, want, err)
	}
	if err := n.Kill(); err == nil {
		t.Error("a test could kill the node that others use")
	}
	other, err := reopen(n.Dir)
	if err != nil || other.URL != n.URL {
		t.Errorf("another process finds %v, %v", other, err)
	}
}

func TestCrashRestartAndRotation(t *testing.T) {
	ctx := t.Context()
	n := Require(t, Options{Name: "tls", Password: "correct-horse", TLS: true, Settings: map[string]string{"resource.reload.interval.high": "1s"}})
	n.Must(t, "PUT", "/esnode-a/_doc/1?refresh=true", map[string]any{"k": "v"})

	res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: n.Authority().Pool()}}}).Get(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 {
		t.Errorf("without a password: HTTP %d, want 401", res.StatusCode)
	}
	if res, err := http.Get(n.URL); err == nil {
		res.Body.Close()
		t.Error("the certificate is trusted without its authority")
	}

	url := n.URL
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Do(ctx, "GET", "/", nil); err == nil || n.Running() {
		t.Fatal("answers after Kill")
	}
	start := time.Now()
	if err := n.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("restart after a crash took %.1f s", time.Since(start).Seconds())
	if n.URL != url {
		t.Errorf("address changed from %s to %s", url, n.URL)
	}
	if doc := n.Must(t, "GET", "/esnode-a/_doc/1", nil); doc["found"] != true {
		t.Errorf("document lost: %v", doc)
	}

	serial := func() string {
		c, err := tls.Dial("tcp", strings.TrimPrefix(n.URL, "https://"), &tls.Config{RootCAs: n.Authority().Pool()})
		if err != nil {
			return ""
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	if err := n.RotateCertificate(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if now := serial(); now != "" && now != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not served")
		}
	}

	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if _, _, err := n.Do(short, "GET", "/", nil); err == nil {
		t.Error("answers while paused")
	}
	if err := n.Resume(); err != nil {
		t.Fatal(err)
	}
	n.Must(t, "GET", "/", nil)
}

// TestNodeEndsWithItsOwner kills the process that started a node, as a test
// run that is aborted would be; also before the node is ready.
func TestNodeEndsWithItsOwner(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), "ESNODE_TEST_OWNER=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	owner.Stderr = os.Stderr
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	owner.Process.Kill()
	owner.Wait()
	var url, dir, data string
	if _, err := fmt.Sscanf(line, "started %s %s %s", &url, &dir, &data); err != nil {
		t.Fatalf("owner said %q", line)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, statErr := os.Stat(dir)
		if os.IsNotExist(statErr) {
			_, statErr = os.Stat(data)
		}
		res, httpErr := http.Get(url)
		if httpErr == nil {
			res.Body.Close()
		}
		left := mentioned(dir)
		if os.IsNotExist(statErr) && httpErr != nil && left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there 30 s after its owner: folder %v, HTTP %v, process %s", statErr, httpErr, left)
		}
	}
}

// mentioned returns a process that has the text on its command line.
func mentioned(text string) string {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), text) {
			return l
		}
	}
	return ""
}

// TestClusterSurvivesItsMaster needs three nodes at once, so not with -short.
func TestClusterSurvivesItsMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: three nodes at once are too much for -short")
	}
	ctx := t.Context()
	start := time.Now()
	c := RequireCluster(t, ClusterOptions{Tiebreaker: true, Node: Options{Heap: "384m"}})
	t.Logf("three nodes green after %.1f s", time.Since(start).Seconds())
	c.Nodes[0].Must(t, "PUT", "/esnode-c", map[string]any{"settings": map[string]any{"number_of_shards": 1, "number_of_replicas": 1}})
	c.Nodes[0].Must(t, "PUT", "/esnode-c/_doc/1", map[string]any{"k": "v"})
	if err := c.WaitGreen(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[1].WaitFor(ctx, "yellow&wait_for_nodes=2"); err != nil {
		t.Fatal(err)
	}
	if doc := c.Nodes[1].Must(t, "GET", "/esnode-c/_doc/1", nil); doc["found"] != true {
		t.Errorf("document lost with its first node: %v", doc)
	}
}

// A test's indices, templates, aliases, roles and keys are gone when it has
// ended, also those that a failed test left; others stay.
func TestCleanUp(t *testing.T) {
	n := Shared(t)
	prefix := fmt.Sprintf("t-clean-%x", time.Now().UnixNano())
	other := fmt.Sprintf("t-other-%x", time.Now().UnixNano())
	CleanUp(t, other)
	n.Must(t, "PUT", "/"+other+"-attackers", nil)
	t.Run("leaves", func(t *testing.T) {
		CleanUp(t, prefix)
		n.Must(t, "PUT", "/_component_template/"+prefix+"-x@package", map[string]any{"template": map[string]any{}})
		n.Must(t, "PUT", "/_index_template/"+prefix+"-x", map[string]any{
			"index_patterns": []string{prefix + "-x-*"}, "priority": 1000, "composed_of": []string{prefix + "-x@package"},
		})
		for i := range 60 {
			n.Must(t, "PUT", fmt.Sprintf("/%s-x-%d", prefix, i), map[string]any{"settings": map[string]any{"number_of_replicas": 0}})
		}
		n.Must(t, "PUT", "/"+prefix+"-x-0/_alias/logs-ti_"+prefix+".attackers", nil)
		if n.User != "" {
			n.Must(t, "PUT", "/_security/role/"+prefix+"-writer", map[string]any{"cluster": []string{"monitor"}})
			n.Must(t, "POST", "/_security/api_key", map[string]any{"name": prefix + "-key"})
		}
		l, err := n.Left(t.Context(), prefix)
		if err != nil || len(l.Indices) != 60 || len(l.IndexTemplates) != 1 || len(l.ComponentTemplates) != 1 || len(l.Aliases) != 1 {
			t.Errorf("%+v, %v", l, err)
		}
	})
	if l, err := n.Left(t.Context(), prefix); err != nil || l.Count() != 0 {
		t.Errorf("left: %+v, %v", l, err)
	}
	if l, err := n.Left(t.Context(), other); err != nil || len(l.Indices) != 1 {
		t.Errorf("another test's index: %+v, %v", l, err)
	}
	if _, err := n.Left(t.Context(), ""); err == nil {
		t.Error("everything would be removed without a prefix")
	}
}
