// Package images holds Dockerfile and conf/compose.yaml, read by the parsers of
// Docker and Compose, against what the build makes and what is known of the
// images they begin from (facts.yaml).
package images

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"go.yaml.in/yaml/v3"
)

const root = "../.."

// fact is what is known of an image.
type fact struct {
	Name, Tag, From, Glibc string
	Shell                  bool
	Entrypoint             []string
	User, Workdir          string
	Commands               []string
}

func facts(t *testing.T) []fact {
	t.Helper()
	b, err := os.ReadFile("facts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Images []fact }
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f.Images
}

// known returns the fact on an image's reference.
func known(t *testing.T, all []fact, reference string) (fact, bool) {
	t.Helper()
	name, tag, tagged := cutTag(reference)
	for _, f := range all {
		if f.Name == name && tagged && regexp.MustCompile(f.Tag).MatchString(tag) {
			if f.From == "" {
				t.Errorf("facts.yaml: nothing says where what is known of %s is from", f.Name)
			}
			return f, true
		}
	}
	return fact{}, false
}

func cutTag(reference string) (name, tag string, ok bool) {
	i := strings.LastIndexByte(reference, ':')
	if i < strings.LastIndexByte(reference, '/') || i < 0 {
		return reference, "", false
	}
	return reference[:i], reference[i+1:], true
}

// stage is a stage of a Dockerfile.
type stage struct {
	base, name      string
	of              fact
	entrypoint, cmd []string
	// files are the paths that COPY brought in, with where from in the stage
	// or the repository it came of.
	files   map[string]string
	workdir string
}

// stages reads a Dockerfile. What is wrong with it goes to fail.
func stages(t *testing.T, text string, fail func(format string, args ...any)) []stage {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		fail("%v", err)
		return nil
	}
	all, args := facts(t), map[string]string{}
	expand := func(s string) string { return os.Expand(s, func(name string) string { return args[name] }) }
	var out []stage
	for _, n := range parsed.AST.Children {
		var words []string
		for w := n.Next; w != nil; w = w.Next {
			words = append(words, expand(w.Value))
		}
		switch strings.ToUpper(n.Value) {
		case "ARG":
			name, value, _ := strings.Cut(words[0], "=")
			args[name] = value
			continue
		case "FROM":
			s := stage{base: words[0], files: map[string]string{}}
			if len(words) == 3 {
				s.name = words[2]
			}
			f, ok := known(t, all, s.base)
			if !ok {
				fail("line %d: nothing is known of the image %s: does it exist? (facts.yaml)", n.StartLine, s.base)
			}
			s.of, s.entrypoint, s.workdir = f, f.Entrypoint, f.Workdir
			out = append(out, s)
			continue
		}
		if len(out) == 0 {
			fail("line %d: %s before any FROM", n.StartLine, n.Value)
			return nil
		}
		s := &out[len(out)-1]
		switch strings.ToUpper(n.Value) {
		case "WORKDIR":
			s.workdir = words[0]
		case "RUN":
			if !s.of.Shell {
				fail("line %d: %s has no shell to run anything", n.StartLine, s.base)
			}
			if command := strings.Fields(words[0])[0]; !slices.Contains(s.of.Commands, command) {
				fail("line %d: %s is not known to have the command %s", n.StartLine, s.base, command)
			}
		case "COPY":
			copies(n, s, out[:len(out)-1], words, fail)
		case "ENTRYPOINT", "CMD":
			if !n.Attributes["json"] && !s.of.Shell {
				fail("line %d: %s in its shell form, and %s has no shell", n.StartLine, n.Value, s.base)
			}
			if strings.EqualFold(n.Value, "CMD") {
				s.cmd = words
			} else {
				s.entrypoint, s.cmd = words, nil
			}
		default:
			fail("line %d: %s isn't looked at by this test", n.StartLine, n.Value)
		}
	}
	return out
}

// copies holds a COPY against the repository and the stages before.
func copies(n *parser.Node, s *stage, before []stage, words []string, fail func(string, ...any)) {
	from := ""
	for _, flag := range n.Flags {
		if value, ok := strings.CutPrefix(flag, "--from="); ok {
			from = value
		}
	}
	sources, to := words[:len(words)-1], words[len(words)-1]
	if !path.IsAbs(to) && s.workdir == "" {
		fail("line %d: COPY to %s, and no WORKDIR", n.StartLine, to)
	}
	for _, source := range sources {
		place := to
		if strings.HasSuffix(to, "/") || len(sources) > 1 {
			if place = path.Join(to, path.Base(source)); strings.HasSuffix(source, "/") {
				place = to // a folder's content
			}
		}
		s.files[path.Join(s.workdir, place)] = source
		if from == "" {
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				fail("line %d: COPY %s, which the repository doesn't have", n.StartLine, source)
			}
			continue
		}
		i := slices.IndexFunc(before, func(b stage) bool { return b.name == from })
		if i < 0 {
			fail("line %d: COPY --from=%s, and no stage of that name before", n.StartLine, from)
			continue
		}
		if rel, ok := strings.CutPrefix(source, before[i].workdir+"/build/"); !ok || !slices.Contains(built(), rel) {
			fail("line %d: COPY --from=%s %s, which make build doesn't make; it makes %s", n.StartLine, from, source, strings.Join(built(), ", "))
		}
	}
}

// built are the files that make build makes in build/.
func built() []string {
	b, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return nil
	}
	m := regexp.MustCompile(`(?m)^build: (.*?)(##.*)?$`).FindSubmatch(b)
	if m == nil {
		return nil
	}
	var out []string
	for f := range strings.FieldsSeq(string(m[1])) {
		out = append(out, strings.TrimPrefix(f, "build/"))
	}
	return out
}

// has says whether the stage has a file: one that was copied, with what its
// folders hold, or one that its base is known to have.
func (s *stage) has(file string) bool {
	if slices.Contains(s.of.Commands, file) || s.files[file] != "" {
		return true
	}
	for place, source := range s.files {
		if rel, ok := strings.CutPrefix(file, strings.TrimSuffix(place, "/")+"/"); ok {
			if _, err := os.Stat(filepath.Join(root, source, rel)); err == nil {
				return true
			}
		}
	}
	return false
}

// starts checks what a container begins with: a program that is there, and
// the configuration it is given.
func (s *stage) starts(entrypoint, cmd []string, more map[string]bool, fail func(string, ...any)) {
	line := slices.Concat(entrypoint, cmd)
	switch {
	case len(line) == 0:
		fail("nothing is started")
	case !s.has(line[0]):
		fail("%q is started, which the image doesn't have", line[0])
	}
	for i, word := range line[min(1, len(line)):] {
		if path.IsAbs(word) && !s.has(word) && !more[word] {
			fail("%q names %s, which is not there", line, word)
		}
		if i < len(line)-1 && path.IsAbs(word) && slices.Contains(s.of.Commands, word) && len(entrypoint) > 0 && i+1 >= len(entrypoint) {
			fail("%s is an argument of %s: the entry point stays, the command comes behind it", word, entrypoint[0])
		}
	}
}

func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	all := stages(t, string(b), t.Errorf)
	if len(all) != 2 {
		t.Fatalf("%d stages", len(all))
	}
	last := &all[1]
	last.starts(last.entrypoint, last.cmd, nil, t.Errorf)
	if slices.Compare(numbers(all[0].of.Glibc), numbers(last.of.Glibc)) > 0 {
		t.Errorf("built with glibc %s for an image that has %s", all[0].of.Glibc, last.of.Glibc)
	}
	// The configurations load the plugin from where the image has it.
	config, err := os.ReadFile(filepath.Join(root, "conf", path.Base(last.cmd[len(last.cmd)-1])))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`\S*/out_dossier\.so`).FindString(string(config)); !last.has(m) {
		t.Errorf("the configuration loads %q, which the image doesn't have", m)
	}
}

func numbers(version string) []string {
	parts := strings.Split(version, ".")
	for i := range parts {
		parts[i] = strings.Repeat("0", max(0, 4-len(parts[i]))) + parts[i]
	}
	return parts
}

// What the test is for: each of these was or could be wrong, and is noticed.
func TestDockerfileFaults(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for old, now := range map[string]string{
		"-bookworm AS":                "-bullseye AS",
		"/src/build/dossier ":         "/src/build/dossierctl ",
		"COPY go.mod go.sum":          "COPY go.mod go.work",
		"--from=build":                "--from=builder",
		"RUN make build":              "RUN cmake build",
		`"-c", "/etc/dossier/dossier`: `"-c", "/etc/dossier/nothing`,
		`CMD ["-c"`:                   `CMD ["/fluent-bit/bin/fluent-bit", "-c"`,
		"\nENTRYPOINT":                "\nRUN make\nENTRYPOINT",
		"FLUENT_BIT_VERSION=5.1.1":    "FLUENT_BIT_VERSION=9.9.9",
	} {
		text := strings.ReplaceAll(string(b), old, now)
		if text == string(b) {
			t.Errorf("the Dockerfile has no %q", old)
		}
		failed := false
		fail := func(string, ...any) { failed = true }
		if all := stages(t, text, fail); len(all) == 2 {
			all[1].starts(all[1].entrypoint, all[1].cmd, nil, fail)
		}
		if !failed {
			t.Errorf("%q in place of %q is not noticed", now, old)
		}
	}
}

func project(t *testing.T, text string) *types.Project {
	t.Helper()
	p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  filepath.Join(root, "conf"),
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(text)}},
		Environment: types.Mapping{"ELASTIC_PASSWORD": "a", "KIBANA_PASSWORD": "b", "DOSSIER_PASSWORD": "c", "SENSOR_LOGS": "/logs"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// containers checks what each service starts.
func containers(t *testing.T, text string, fail func(string, ...any)) {
	t.Helper()
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	own := stages(t, string(dockerfile), t.Errorf)
	built := map[string]bool{}
	p := project(t, text)
	for _, s := range p.Services {
		if s.Build != nil {
			built[s.Image] = true
			if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
				fail("%s: %v", s.Name, err)
			}
		}
	}
	for _, s := range p.Services {
		st := &stage{files: map[string]string{}}
		if built[s.Image] {
			st = &own[len(own)-1]
		} else if f, ok := known(t, facts(t), s.Image); ok {
			st.of, st.entrypoint = f, f.Entrypoint
			st.of.Commands = append(slices.Clone(f.Commands), f.Entrypoint...)
		} else {
			fail("%s: nothing is known of the image %s, and nothing builds it", s.Name, s.Image)
			continue
		}
		entrypoint, cmd := st.entrypoint, st.cmd
		if s.Entrypoint != nil {
			entrypoint, cmd = s.Entrypoint, nil
		}
		if s.Command != nil {
			cmd = s.Command
		}
		more := map[string]bool{}
		for _, c := range s.Configs {
			more[c.Target] = true
		}
		st.starts(entrypoint, cmd, more, func(format string, args ...any) { fail(s.Name+": "+format, args...) })
		// What Dossier and Fluent Bit keep must outlive the container.
		if s.Name == "setup" && (len(cmd) == 0 || cmd[0] != "setup" || entrypoint[0] != "/usr/bin/dossier") {
			fail("setup starts %q %q", entrypoint, cmd)
		}
		if s.Name == "fluent-bit" && entrypoint[0] != "/fluent-bit/bin/fluent-bit" {
			fail("fluent-bit starts %q", entrypoint)
		}
	}
}

// filled checks that one command leads to a Kibana with dashboards, rules and data, over
// TLS and behind a password that nobody wrote down.
func filled(t *testing.T, text string, fail func(string, ...any)) {
	t.Helper()
	p := project(t, text)
	for service, wants := range map[string]map[string]string{
		"accounts": {"elasticsearch": types.ServiceConditionHealthy}, "setup": {"accounts": types.ServiceConditionCompletedSuccessfully},
		"kibana":     {"accounts": types.ServiceConditionCompletedSuccessfully},
		"dashboards": {"setup": types.ServiceConditionCompletedSuccessfully, "kibana": types.ServiceConditionHealthy},
		"rules":      {"dashboards": types.ServiceConditionCompletedSuccessfully}, "ready": {"rules": types.ServiceConditionCompletedSuccessfully},
		"fluent-bit": {"setup": types.ServiceConditionCompletedSuccessfully, "sample": types.ServiceConditionCompletedSuccessfully},
	} {
		for on, condition := range wants {
			if got := p.Services[service].DependsOn[on].Condition; got != condition {
				fail("%s waits for %s: %q, want %q", service, on, got, condition)
			}
		}
	}
	for service, wants := range map[string]map[string]string{
		"elasticsearch": {"xpack.security.enabled": "true", "xpack.security.http.ssl.enabled": "true", "ELASTIC_PASSWORD_FILE": "/usr/share/elasticsearch/config/secrets/elastic.password"},
		"kibana":        {"SERVER_SSL_ENABLED": "true", "ELASTICSEARCH_HOSTS": "https://elasticsearch:9200"},
		"dashboards":    {"DOSSIER_ES_PASSWORD_FILE": "/secrets/elastic.password", "DOSSIER_ES_CA_FILE": "/secrets/ca.crt"},
		"rules":         {"DOSSIER_ES_PASSWORD_FILE": "/secrets/elastic.password", "DOSSIER_ES_CA_FILE": "/secrets/ca.crt"},
	} {
		for name, want := range wants {
			if got := p.Services[service].Environment[name]; got == nil || *got != want {
				fail("%s: %s is not %q", service, name, want)
			}
		}
	}
	for service, want := range map[string][]string{"dashboards": {"kibana", "dashboards", "--url", "https://kibana:5601"}, "rules": {"kibana", "rules", "--url", "https://kibana:5601"}} {
		if got := p.Services[service].Command; !slices.Equal(got, want) {
			fail("%s runs %q, want %q", service, got, want)
		}
	}
	for name, s := range p.Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				fail("%s: port %s is open to %q", name, port.Published, port.HostIP)
			}
		}
		for variable := range s.Environment {
			if strings.HasSuffix(strings.ToUpper(variable), "PASSWORD") {
				fail("%s: a password stands in %s", name, variable)
			}
		}
	}
}

// The stack fills its Kibana by itself, and each part of that is missed where it lacks.
func TestComposeFillsKibana(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "conf", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	filled(t, string(b), t.Errorf)
	for old, now := range map[string]string{
		`xpack.security.enabled: "true"`: `xpack.security.enabled: "false"`, `SERVER_SSL_ENABLED: "true"`: `SERVER_SSL_ENABLED: "false"`,
		`xpack.security.http.ssl.enabled: "true"`: `xpack.security.http.ssl.enabled: "false"`,
		`["kibana", "rules", "--url"`:             `["kibana", "rules", "--space"`, `["kibana", "dashboards", "--url"`: `["kibana", "rules", "--url"`,
		`rules: {condition: service_completed_successfully}`: `rules: {condition: service_started}`, `kibana: {condition: service_healthy}`: `kibana: {condition: service_started}`,
		`sample: {condition: service_completed_successfully}`: `sample: {condition: service_started}`,
		`"127.0.0.1:5601:5601"`:                               `"5601:5601"`, `ELASTIC_PASSWORD_FILE: /usr/share/elasticsearch/config/secrets/elastic.password`: `ELASTIC_PASSWORD: changeme`,
	} {
		text := strings.ReplaceAll(string(b), old, now)
		if text == string(b) {
			t.Errorf("compose.yaml has no %q", old)
		}
		failed := false
		filled(t, text, func(string, ...any) { failed = true })
		if !failed {
			t.Errorf("%q in place of %q is not noticed", now, old)
		}
	}
}

func TestCompose(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "conf", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	containers(t, string(b), t.Errorf)
	for old, now := range map[string]string{
		`entrypoint: ["/usr/bin/dossier"]`:        "",
		`["setup"]`:                               `["/usr/bin/dossier", "setup"]`,
		`"/etc/dossier/compose-fluent-bit.yaml"]`: `"/etc/dossier/compose.conf"]`,
		`command: ["-c"`:                          `command: ["/fluent-bit/bin/fluent-bit", "-c"`,
		"dockerfile: Dockerfile":                  "dockerfile: Dockerfile.prod",
		"8.19.13":                                 "latest",
	} {
		text := strings.ReplaceAll(string(b), old, now)
		if text == string(b) {
			t.Errorf("compose.yaml has no %q", old)
		}
		failed := false
		containers(t, text, func(string, ...any) { failed = true })
		if !failed {
			t.Errorf("%q in place of %q is not noticed", now, old)
		}
	}
}
