package esnode

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// OpenSearch has no distribution on Maven Central, but all its jars: a node is
// those and a class of ours that starts it.
//
//go:embed opensearch
var openSearchFiles embed.FS

// openSearchClass is the class that starts a node.
const openSearchClass = "OpenSearchNode"

// errNoSecurity says what can't be had of OpenSearch here.
var errNoSecurity = errors.New("esnode: OpenSearch's security plugin isn't on Maven Central, so there is no node with a password or TLS")

// fetchOpenSearch lets Maven bring the jars, and compiles the class.
func (s server) fetchOpenSearch(ctx context.Context, mvn, dir string) (string, error) {
	java, err := javaHome(s.java)
	if err != nil {
		return "", err
	}
	javac := filepath.Join(java, "bin", "javac")
	if _, err := os.Stat(javac); err != nil {
		return "", fmt.Errorf("esnode: OpenSearch needs a JDK, and %s has no javac; install one (default-jdk-headless on Debian)", java)
	}
	home := filepath.Join(dir, "home")
	if err := os.CopyFS(home, openSearchFiles); err != nil {
		return "", err
	}
	home = filepath.Join(home, "opensearch")
	lib := filepath.Join(home, "lib")
	err = runMaven(ctx, mvn, s, "-f", filepath.Join(home, "pom.xml"), "dependency:copy-dependencies@opensearch", "-Dopensearch="+s.version, "-Dlib="+lib)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, javac, "-cp", lib+"/*", "-d", filepath.Join(home, "classes"), filepath.Join(home, openSearchClass+".java")).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("esnode: javac: %w\n%s", err, lastLines(string(out), 15))
	}
	return home, nil
}

// startOpenSearch starts the node's process.
func (r *javaRunner) startOpenSearch() error {
	java, err := javaHome(r.server.java)
	if err != nil {
		return err
	}
	who, err := nobody()
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(r.n.Dir, "logs", "server.out"))
	if err != nil {
		return err
	}
	defer out.Close()
	args := append(r.jvm(),
		"-Djava.awt.headless=true", "-Dfile.encoding=UTF-8", "-Djna.nosys=true", "-Dopensearch.path.home="+r.n.Dir,
		"-Dlog4j2.disable.jmx=true", "-Dlog4j2.formatMsgNoLookups=true",
		"-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true", "-Dio.netty.recycler.maxCapacityPerThread=0",
		"-cp", filepath.Join(r.home, "classes")+":"+filepath.Join(r.home, "lib")+"/*", openSearchClass, r.n.confDir())
	cmd := exec.Command(filepath.Join(java, "bin", "java"), args...) // it outlives whoever starts it
	cmd.Dir = r.n.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return os.WriteFile(r.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644)
}
