package esnode

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// serverEnv names the server that tests run on where it isn't DefaultServer.
const serverEnv = "DOSSIER_SERVER"

// DefaultServer is the server that is started where none is named.
const DefaultServer = "8.19"

// server is one that the launcher starts.
type server struct {
	name    string
	product string
	version string
	// java is the oldest Java that it runs on.
	java int
	// sonarqube is the distribution of that version on Maven Central that
	// Elasticsearch is taken from.
	sonarqube string
	// megabytes is how much is fetched at most.
	megabytes int
}

const (
	elasticsearch = "Elasticsearch"
	openSearch    = "OpenSearch"
)

var servers = []server{
	{"8.16", elasticsearch, "8.16.6", 17, "25.12.0.117093", 850},
	{"8.19", elasticsearch, "8.19.13", 17, "26.4.0.121862", 920},
	{"9.4", elasticsearch, "9.4.3", 21, "26.9.0.129388", 950},
	{"opensearch-2.19", openSearch, "2.19.6", 17, "", 50},
	{"opensearch-3.9", openSearch, "3.9.0", 21, "", 65},
}

// Servers returns the names of the servers that the launcher can start.
func Servers() []string {
	var names []string
	for _, s := range servers {
		names = append(names, s.name)
	}
	return names
}

// Describe says in a line what starting that server takes.
func Describe(name string) (string, error) {
	s, err := lookUp(name)
	if err != nil {
		return "", err
	}
	seconds := 15
	if s.isOpenSearch() {
		seconds = 3
	}
	return fmt.Sprintf("%s: some %d MB are fetched the first time; then it starts in about %d s, or runs already", s.product, s.megabytes/50*50, seconds), nil
}

// lookUp returns the server of that name; "" stands for the one of the
// environment, "opensearch" and "elasticsearch" for what is tested most.
func lookUp(name string) (server, error) {
	switch name = strings.ToLower(cmp.Or(name, os.Getenv(serverEnv), DefaultServer)); name {
	case "elasticsearch":
		name = DefaultServer
	case "opensearch":
		name = "opensearch-2.19"
	}
	for _, s := range servers {
		if s.name == name {
			return s, nil
		}
	}
	return server{}, fmt.Errorf("esnode: there is no server %q; use one of %s", name, strings.Join(Servers(), ", "))
}

func (s server) isOpenSearch() bool { return s.product == openSearch }

func (s server) String() string { return s.product + " " + s.version }

// image is the official image, by its name in Docker's default registry.
func (s server) image() string { return "elasticsearch:" + s.version }

// errNoJava says that the Java of this machine is too old for a server.
var errNoJava = errors.New("esnode: no Java that is new enough")

// javaHome finds a Java of at least that version: one that was named, the one
// of PATH, or another that is installed.
func javaHome(least int) (string, error) {
	homes := []string{os.Getenv("ES_JAVA_HOME"), os.Getenv("JAVA_HOME")}
	if java, err := exec.LookPath("java"); err == nil {
		if java, err = filepath.EvalSymlinks(java); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(java)))
		}
	}
	installed, _ := filepath.Glob("/usr/lib/jvm/*/release")
	slices.Sort(installed)
	for _, release := range installed {
		homes = append(homes, filepath.Dir(release))
	}
	var old []string
	for _, home := range homes {
		switch version := javaVersion(home); {
		case version >= least:
			return home, nil
		case version > 0:
			old = append(old, strconv.Itoa(version))
		}
	}
	if len(old) == 0 {
		return "", errNoBackend
	}
	slices.Sort(old)
	return "", fmt.Errorf("%w: %d is needed, there is %s; install one, or name its home in ES_JAVA_HOME",
		errNoJava, least, strings.Join(slices.Compact(old), ", "))
}

// javaVersion reads the version of a Java from the file that each has, 0 where
// there is none.
func javaVersion(home string) int {
	if home == "" {
		return 0
	}
	b, err := os.ReadFile(filepath.Join(home, "release"))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(b), `JAVA_VERSION="`)
	number, _, _ := strings.Cut(after, `"`)
	number, _, _ = strings.Cut(strings.TrimPrefix(number, "1."), ".")
	version, _ := strconv.Atoi(number)
	return version
}
