package esnode

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dossier/testbed/port"
)

// backend is a way to run nodes on this machine.
type backend struct {
	name   string // "docker" or "java"
	server server
	home   string // the unpacked distribution, for java
}

// chooseBackend takes Docker where it works and has or gets the image, else
// the distribution by Maven. OpenSearch is fetched sooner than its image.
func chooseBackend(ctx context.Context, s server) (backend, error) {
	if !s.isOpenSearch() && exec.CommandContext(ctx, "docker", "info").Run() == nil {
		err := pullImage(ctx, s)
		if err == nil {
			return backend{name: "docker", server: s}, nil
		}
		fmt.Fprintf(os.Stderr, "esnode: %v; trying Maven\n", err)
	}
	if _, err := javaHome(s.java); err != nil {
		return backend{}, err
	}
	home, err := unpack(ctx, s)
	return backend{name: "java", server: s, home: home}, err
}

func (b backend) runner(n *Node, o Options) runner {
	if b.name == "docker" {
		return &dockerRunner{n: n, o: o, server: b.server}
	}
	return &javaRunner{n: n, o: o, server: b.server, home: b.home}
}

// javaRunner runs a node from the unpacked distribution.
type javaRunner struct {
	n      *Node
	o      Options
	server server
	home   string
}

// nobody is the user that nodes run as where the launcher is root, because
// Elasticsearch refuses to be root.
func nobody() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("esnode: Elasticsearch can't run as root and there is no user nobody: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (r *javaRunner) start(ctx context.Context) error {
	if err := r.configure(); err != nil {
		return err
	}
	if r.o.Password != "" {
		if err := r.setPassword(ctx); err != nil {
			return err
		}
	}
	// The pid file of a crashed node would stop the new one.
	os.Remove(r.pidFile())
	if r.server.isOpenSearch() {
		return r.startOpenSearch()
	}
	if _, err := os.Stat(filepath.Join(r.home, "lib", "tools", "server-launcher")); err == nil {
		// From 9.4 on the server's tool only says how it is to be started;
		// another one asks it and does so.
		return r.run(ctx, "server", "", filepath.Join("bin", "java"), "-Xmx32m", "-XX:TieredStopAtLevel=1",
			"-cp", r.home+"/lib/*:"+r.home+"/lib/tools/server-launcher/*",
			"org.elasticsearch.server.launcher.ServerLauncher", "-d", "-p", r.pidFile())
	}
	return r.tool(ctx, "server", "", "-d", "-p", r.pidFile())
}

// configure writes the node's configuration and gives its folder to the user
// it runs as.
func (r *javaRunner) configure() error {
	dir := r.n.Dir
	for _, sub := range r.folders() {
		if err := mkdirAll(sub); err != nil {
			return err
		}
	}
	s := r.o.settings(r.server)
	s["path.data"] = r.n.Data
	s["path.logs"] = filepath.Join(dir, "logs")
	s["path.repo"] = filepath.Join(dir, "repo")
	s["network.host"] = "127.0.0.1"
	s["http.port"] = strconv.Itoa(r.n.Port)
	s["transport.port"] = strconv.Itoa(r.o.cluster.port)
	if r.o.cluster.port == 0 {
		transport, err := port.Free()
		if err != nil {
			return err
		}
		s["transport.port"] = strconv.Itoa(transport)
	}
	if _, err := os.Stat(filepath.Join(r.n.Data, "_state")); err == nil {
		// Only a cluster's very first start may elect a first master.
		delete(s, r.server.firstMasters())
	}
	maps.Copy(s, r.o.Settings)
	conf := filepath.Join(dir, "conf")
	name := strings.ToLower(r.server.product) + ".yml"
	if err := os.WriteFile(filepath.Join(conf, name), settingsFile(s), 0o644); err != nil {
		return err
	}
	jvm := strings.Join(r.jvm(), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(conf, "jvm.options"), []byte(jvm), 0o644); err != nil {
		return err
	}
	log := filepath.Join(r.home, "config", "log4j2.properties")
	if r.server.isOpenSearch() {
		log = filepath.Join(r.home, "log4j2.properties")
	}
	b, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf, "log4j2.properties"), b, 0o644); err != nil {
		return err
	}
	return r.giveAway()
}

// jvm returns the options of Java that don't depend on the server.
func (r *javaRunner) jvm() []string {
	collector := []string{"-XX:+UseG1GC"}
	if r.o.brief {
		// A node of a few minutes ends before the second compiler pays.
		collector = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	}
	return append(collector, "-Xms"+r.o.Heap, "-Xmx"+r.o.Heap, "-XX:-AlwaysPreTouch", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.io.tmpdir="+filepath.Join(r.n.Dir, "tmp"))
}

// folders are those that the node writes to.
func (r *javaRunner) folders() []string {
	folders := []string{r.n.Data}
	for _, sub := range []string{"conf", "logs", "tmp", "repo"} {
		folders = append(folders, filepath.Join(r.n.Dir, sub))
	}
	return folders
}

// giveAway makes the user that the node runs as the owner of its folder.
func (r *javaRunner) giveAway() error {
	who, err := nobody()
	if err != nil || who == nil {
		return err
	}
	for _, sub := range r.folders() {
		err := filepath.WalkDir(sub, func(path string, _ os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			return os.Lchown(path, int(who.Uid), int(who.Gid))
		})
		if err != nil {
			return err
		}
	}
	return os.Chown(r.n.Dir, int(who.Uid), int(who.Gid))
}

// setPassword puts the password of user elastic into the keystore. Making one
// takes two runs of Java, so each password's is kept beside the distribution.
func (r *javaRunner) setPassword(ctx context.Context) error {
	own := filepath.Join(r.n.confDir(), "elasticsearch.keystore")
	if _, err := os.Stat(own); err == nil {
		return nil
	}
	kept := fmt.Sprintf("%s.%x.keystore", r.home, sha256.Sum256([]byte(r.o.Password)))
	lock, err := lockFile(ctx, kept+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	if b, err := os.ReadFile(kept); err == nil {
		if err := os.WriteFile(own, b, 0o600); err != nil {
			return err
		}
		return r.giveAway()
	}
	if err := r.tool(ctx, "keystore", "", "create", "-s"); err != nil {
		return err
	}
	if err := r.tool(ctx, "keystore", r.o.Password, "add", "-x", "-f", "-s", "bootstrap.password"); err != nil {
		return err
	}
	b, err := os.ReadFile(own)
	if err != nil {
		return err
	}
	if err := os.WriteFile(kept+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(kept+".new", kept)
}

// tool runs one of the distribution's own tools to its end.
func (r *javaRunner) tool(ctx context.Context, name, stdin string, args ...string) error {
	return r.run(ctx, name, stdin, "", args...)
}

// run runs a program of Java's by its path there, or, where that is "", the
// distribution's script for tools.
func (r *javaRunner) run(ctx context.Context, name, stdin, program string, args ...string) error {
	java, err := javaHome(r.server.java)
	if err != nil {
		return err
	}
	if program == "" {
		program, args = "bash", append([]string{filepath.Join(r.home, "bin", "elasticsearch-cli")}, args...)
	} else {
		program = filepath.Join(java, program)
	}
	who, err := nobody()
	if err != nil {
		return err
	}
	path := filepath.Join(r.n.Dir, "logs", name+".out")
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = r.home // where the launcher of 9.4 looks for the modules
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "CLI_NAME=" + name, "CLI_LIBS=lib/tools/" + name + "-cli",
		// They end before the second compiler pays.
		"CLI_JAVA_OPTS=-XX:TieredStopAtLevel=1", "ES_JAVA_HOME=" + java, "ES_PATH_CONF=" + r.n.confDir(), "ES_TMPDIR=" + filepath.Join(r.n.Dir, "tmp"),
		// What the script would set, for what is run without it.
		"ES_HOME=" + r.home, "JAVA=" + filepath.Join(java, "bin", "java"), "JAVA_TYPE=ES_JAVA_HOME", "ES_DISTRIBUTION_TYPE=zip",
	}
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = out, out
	// A session of its own: what ends the caller's process group does not
	// end the node.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who}
	if err := cmd.Run(); err != nil {
		b, _ := os.ReadFile(path)
		return fmt.Errorf("%w\n%s", err, lastLines(string(b), 20))
	}
	return nil
}

func (r *javaRunner) pidFile() string { return filepath.Join(r.n.Dir, "pid") }

// pid returns the node's process, 0 where there is none. A number that was
// taken over by another process is told by its command line.
func (r *javaRunner) pid() int {
	b, err := os.ReadFile(r.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || !r.isOurs(pid) {
		return 0
	}
	return pid
}

// isOurs says whether the process runs for this node's folder. A zombie has
// no command line.
func (r *javaRunner) isOurs(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), r.n.Dir+"/")
}

func (r *javaRunner) signal(sig syscall.Signal) error {
	pid := r.pid()
	if pid == 0 {
		return fmt.Errorf("esnode: %s does not run", r.n.Name)
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (r *javaRunner) alive() bool { return r.pid() != 0 }

func (r *javaRunner) logs() string {
	files, _ := filepath.Glob(filepath.Join(r.n.Dir, "logs", "*.log"))
	files = append(files, filepath.Join(r.n.Dir, "logs", "server.out"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 {
			return lastLines(string(b), 20)
		}
	}
	return ""
}

func (r *javaRunner) remove() {
	// A start that was broken off leaves a process without a pid file.
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		isServer := strings.Contains(string(line), "org.elasticsearch.") || strings.Contains(string(line), openSearchClass)
		if err == nil && isServer && strings.Contains(string(line), r.n.Dir+"/") {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (r *javaRunner) purge() { os.RemoveAll(r.n.Data) }

// dockerRunner runs a node in a container of the official image.
type dockerRunner struct {
	n      *Node
	o      Options
	server server
}

// pullImage makes sure that the image is there.
func pullImage(ctx context.Context, s server) error {
	if exec.CommandContext(ctx, "docker", "image", "inspect", s.image()).Run() == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "docker", "pull", s.image())
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker pull %s: %w", s.image(), err)
	}
	return nil
}

// container is the container's name. The folder's name is unique on this
// machine.
func (r *dockerRunner) container() string { return "dossier-" + filepath.Base(r.n.Dir) }

func (r *dockerRunner) docker(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, lastLines(string(out), 5))
	}
	return strings.TrimSpace(string(out)), nil
}

func (r *dockerRunner) start(ctx context.Context) error {
	if _, err := r.docker(ctx, "container", "inspect", r.container()); err == nil {
		_, err := r.docker(ctx, "start", r.container())
		return err
	}
	s := r.o.settings(r.server)
	// Without a mapped store the host's vm.max_map_count does not matter.
	s["node.store.allow_mmap"] = "false"
	// The image has modules that the small distribution lacks.
	s["ingest.geoip.downloader.enabled"] = "false"
	s["xpack.ml.enabled"] = "false"
	s["path.repo"] = "/usr/share/elasticsearch/data/repo"
	maps.Copy(s, r.o.Settings)
	args := []string{
		"run", "-d", "--name", r.container(),
		"-v", r.container() + ":/usr/share/elasticsearch/data",
		"-p", fmt.Sprintf("127.0.0.1:%d:9200", r.n.Port),
		"-e", fmt.Sprintf("ES_JAVA_OPTS=-Xms%[1]s -Xmx%[1]s", r.o.Heap),
	}
	if c := r.o.cluster; c.network != "" {
		args = append(args, "--network", c.network, "--network-alias", r.o.Name)
	}
	if r.o.Password != "" {
		args = append(args, "-e", "ELASTIC_PASSWORD="+r.o.Password)
	}
	if r.o.TLS {
		for _, f := range []string{"http.crt", "http.key", "ca.crt"} {
			args = append(args, "-v", filepath.Join(r.n.confDir(), f)+":/usr/share/elasticsearch/config/"+f+":ro")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s)) {
		args = append(args, "-e", k+"="+strings.Trim(s[k], "[]"))
	}
	_, err := r.docker(ctx, append(args, r.server.image())...)
	return err
}

func (r *dockerRunner) signal(sig syscall.Signal) error {
	verb := map[syscall.Signal][]string{
		syscall.SIGTERM: {"stop", "-t", "20"},
		syscall.SIGKILL: {"kill"},
		syscall.SIGSTOP: {"pause"},
		syscall.SIGCONT: {"unpause"},
	}[sig]
	_, err := r.docker(context.Background(), append(verb, r.container())...)
	return err
}

func (r *dockerRunner) alive() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state, err := r.docker(ctx, "container", "inspect", "-f", "{{.State.Running}}", r.container())
	return err == nil && state == "true"
}

func (r *dockerRunner) logs() string {
	cmd := exec.Command("docker", "logs", "--tail", "20", r.container())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return ""
	}
	return string(out)
}

func (r *dockerRunner) remove() {
	exec.Command("docker", "rm", "-f", r.container()).Run()
}

func (r *dockerRunner) purge() {
	exec.Command("docker", "volume", "rm", r.container()).Run()
}
