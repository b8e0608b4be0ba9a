package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/plugin/options"
	"dossier/profile"
)

// Level says how bad a finding is.
type Level int

// The levels.
const (
	// OK: as it should be.
	OK Level = iota
	// Note: could not be looked at, or worth knowing.
	Note
	// Warning: works, but not as it should.
	Warning
	// Failure: sensors can't write, or a guarantee doesn't hold.
	Failure
)

func (l Level) String() string { return [...]string{"ok", "note", "WARN", "FAIL"}[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(strings.ToLower(l.String())), nil }

// Finding is one thing that Check looked at.
type Finding struct {
	Level   Level  `json:"level"`
	Subject string `json:"subject"`
	// Text says what was found, Fix how to fix it; each is one line.
	Text string `json:"text"`
	Fix  string `json:"fix,omitempty"`
}

func (f Finding) String() string {
	s := fmt.Sprintf("%-4s %s: %s", f.Level, f.Subject, f.Text)
	if f.Fix != "" {
		s += "; " + f.Fix
	}
	return s
}

// Check says what to look at.
type Check struct {
	// Role is what the credentials are meant for, one of roles.Names.
	Role string
}

const (
	// skew is how far clocks may be apart.
	skew = 5 * time.Second
	// expiry is how long before its end a key is warned about.
	expiry = 30 * day
)

type checker struct {
	*Target
	out  func(Finding)
	role string
	// open says that the cluster has no security, or doesn't tell who may what.
	open bool
}

// Check looks at everything that must hold for sensors to write, and tells
// out of each. It changes nothing.
func (t *Target) Check(ctx context.Context, c Check, out func(Finding)) {
	k := checker{Target: t, out: out, role: c.Role}
	if !k.connection(ctx) {
		return
	}
	k.credentials(ctx, c.Role)
	k.clocks(ctx)
	k.templatesThere(ctx)
	k.indicesFit(ctx)
	k.unfinished(ctx)
	k.elsewhere(ctx)
	k.foreign(ctx)
	k.transitionsTold(ctx)
	k.unreadable(ctx)
	k.alias(ctx)
	k.retiredAlias(ctx)
	k.health(ctx)
	k.sensors(ctx)
	k.letters()
	k.zone()
}

// zone tells the time zone of lines that name none.
func (k *checker) zone() {
	k.say(Note, "syslog_timezone", "set syslog_timezone on an output whose senders have another", "times of syslog without a zone (RFC 3164) are taken for those of %s",
		options.ZoneText(k.o.SyslogTimezone, k.now()))
}

func (k *checker) say(l Level, subject, fix, format string, args ...any) {
	k.out(Finding{l, subject, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "), fix})
}

// failed tells of a request that didn't work: a missing privilege is no fault
// of what was to be looked at.
func (k *checker) failed(subject string, err error) {
	e, ok := errors.AsType[*esindex.Error](err)
	switch {
	case !ok:
		k.say(Failure, subject, "", "%v", err)
	case e.Status == http.StatusGone && e.Type == "api_not_available_exception":
		k.say(Note, subject, "", "not looked at: Elasticsearch Serverless sees to it itself and doesn't tell")
	case e.Status == http.StatusForbidden:
		k.say(Note, subject, "check as a user with the role "+k.roleName("setup"), "not looked at: these credentials may not")
	default:
		fix := e.Fix
		bare := *e
		bare.Fix = ""
		k.say(Failure, subject, fix, "%v", &bare)
	}
}

func (k *checker) connection(ctx context.Context) bool {
	const subject = "connection"
	info, err := k.client.Info(ctx)
	if err != nil {
		k.failed(subject, err)
		return false
	}
	if info.Version == "" {
		k.say(OK, subject, "", "%s answers; its version is not for these credentials", k.Target)
		return true
	}
	if e, ok := errors.AsType[*esindex.Error](info.Unfit()); ok {
		k.say(Failure, subject, e.Fix, "%s, at %s", e.Reason, k.Target)
		return true
	}
	k.say(OK, subject, "", "cluster %s, %s %s, at %s", info.Cluster, info.Product, info.Version, k.Target)
	return true
}

func (k *checker) credentials(ctx context.Context, role string) {
	const subject = "credentials"
	who, err := k.client.Identity(ctx)
	if errors.Is(err, esindex.ErrNoSecurity) {
		k.open = true
		fix := "set xpack.security.enabled"
		if product, _ := k.client.Product(ctx); product == esindex.OpenSearch {
			fix = "install OpenSearch's security plugin"
		}
		k.say(Warning, subject, fix, "this cluster has no security: whoever reaches it can read and delete everything")
		return
	}
	if err != nil {
		k.failed(subject, err)
		return
	}
	name := who.String()
	k.keyExpiry(who.Key)
	want, err := roles.Get(role, k.o.IndexPrefix)
	if err != nil {
		k.say(Failure, subject, "", "%v", err)
		return
	}
	_, missing, err := k.privileges(ctx, want)
	if errors.Is(err, esindex.ErrNotToldOfPrivileges) {
		k.open = true // what is missing can't be told from what isn't shown
		k.say(Note, subject, "compare them with docs/security.md", "%s with the roles %s; OpenSearch doesn't tell what these may", name, line(strings.Join(who.Roles, ", ")))
		return
	}
	if err != nil {
		k.failed(subject, err)
		return
	}
	if other := who.Misused(k.o.IndexPrefix, role); other != "" && len(missing) > 0 {
		k.say(Failure, subject, k.rightKey(who, role), "%s, not of the role %s of the prefix %s", other, role, k.o.IndexPrefix)
		return
	}
	if len(missing) > 0 {
		k.say(Failure, subject, "give it the role "+k.roleName(role)+" (dossier setup makes it)",
			"%s lacks what the role %s has: %s", name, role, some(missing))
		return
	}
	k.say(OK, subject, "", "%s has what the role %s has", name, role)
	if role == roles.CreatingWriter {
		k.say(Note, subject, "prefer a key with the role "+k.roleName(roles.Writer)+", for which dossier setup makes the months",
			"%s may make month indices: whoever has it decides on mappings, settings and pipelines of those that are not there yet", name)
	}
	if role != roles.Writer && role != roles.CreatingWriter {
		return
	}
	if may, err := k.may(ctx, "create_index", k.months(k.ahead(0))); role == roles.Writer && err == nil && slices.Contains(slices.Collect(maps.Values(may)), true) {
		k.say(Note, subject, "bring it up to date: "+roles.KeyCommand(roles.Writer, k.o.IndexPrefix)+", as the user who made it",
			"%s may make month indices, which the role %s may not: whoever has it decides on mappings, settings and pipelines of those that are not there yet", name, role)
	}
	more, _, err := k.privileges(ctx, roles.Role{
		Cluster: []string{"manage_index_templates", "manage_security"},
		Indices: []roles.Indices{{Names: []string{k.indices.Attackers()}, Privileges: []string{"delete", "delete_index", "indices:data/read/search*"}}},
	})
	if err == nil && len(more) > 0 {
		k.say(Note, subject, "for a sensor make a key that can only write: "+roles.KeyCommand(roles.Writer, k.o.IndexPrefix),
			"%s can more than a sensor needs: %s", name, strings.Join(more, ", "))
	}
}

// rightKey says what to do about a key that was made for something else.
func (k *checker) rightKey(who esindex.Identity, role string) string {
	if who.Key.Prefix == k.o.IndexPrefix {
		return fmt.Sprintf("check it with --role %s, or give the key of that role (%s makes one)", who.Key.Role, roles.KeyCommand(role, k.o.IndexPrefix))
	}
	return fmt.Sprintf("check it with --index-prefix %s --role %s, or give the key of that prefix and role (%s makes one)", who.Key.Prefix, who.Key.Role, roles.KeyCommand(role, k.o.IndexPrefix))
}

func (k *checker) keyExpiry(key *esindex.KeyIdentity) {
	if key == nil || key.Expires.IsZero() {
		return
	}
	if left := key.Expires.Sub(k.now()); left < expiry {
		k.say(Warning, "credentials", "make a new one: dossier keys rotate FILE, as a user with manage_security",
			"the API key expires in %d days, on %s", int(left/day), key.Expires.Format(time.DateOnly))
	}
}

// maxNamed bounds what is named in a line one by one.
const maxNamed = 5

// some names a few of a list, and says how many more there are.
func some(list []string) string {
	if n := len(list) - maxNamed; n > 0 {
		return strings.Join(list[:maxNamed], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(list, ", ")
}

// privileges asks which of the privileges these credentials have. OpenSearch
// doesn't tell: ErrNotToldOfPrivileges.
func (t *Target) privileges(ctx context.Context, want roles.Role) (have, lacking []string, err error) {
	switch product, err := t.client.Product(ctx); {
	case err != nil:
		return nil, nil, err
	case product == esindex.OpenSearch:
		return nil, nil, esindex.ErrNotToldOfPrivileges
	}
	body, err := json.Marshal(map[string]any{"cluster": want.Cluster, "index": want.Indices})
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Cluster map[string]bool            `json:"cluster"`
		Index   map[string]map[string]bool `json:"index"`
	}
	if err := t.client.Call(ctx, "ask for the privileges", http.MethodPost, "/_security/user/_has_privileges", body, &answer); err != nil {
		return nil, nil, err
	}
	add := func(name string, ok bool) {
		if ok {
			have = append(have, name)
		} else {
			lacking = append(lacking, name)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(answer.Cluster)) {
		add(p+" on the cluster", answer.Cluster[p])
	}
	for _, index := range slices.Sorted(maps.Keys(answer.Index)) {
		for _, p := range slices.Sorted(maps.Keys(answer.Index[index])) {
			add(p+" on "+index, answer.Index[index][p])
		}
	}
	return have, lacking, nil
}

// clocks compares the nodes' clocks with this one's.
func (k *checker) clocks(ctx context.Context) {
	const subject = "clock"
	var stats struct {
		Nodes map[string]struct {
			Name string `json:"name"`
			At   int64  `json:"timestamp"`
		} `json:"nodes"`
	}
	start := k.now()
	err := k.client.Call(ctx, "ask for the nodes' clocks", http.MethodGet, "/_nodes/stats/ingest?filter_path=nodes.*.name,nodes.*.timestamp", nil, &stats)
	if err != nil {
		k.failed(subject, err)
		return
	}
	took := k.now().Sub(start)
	middle := start.Add(took / 2)
	far := false
	for _, id := range slices.Sorted(maps.Keys(stats.Nodes)) {
		n := stats.Nodes[id]
		ahead := time.UnixMilli(n.At).Sub(middle)
		if ahead.Abs() > skew+took/2 {
			far = true
			k.say(Warning, subject, "set up NTP on both",
				"node %s is %s of this host's clock", line(n.Name), describe(ahead))
		}
	}
	if !far {
		k.say(OK, subject, "", "%d nodes within %s of this host's", len(stats.Nodes), skew)
	}
}

func describe(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Millisecond).String() + " behind"
	}
	return d.Round(time.Millisecond).String() + " ahead"
}

func (k *checker) templatesThere(ctx context.Context) {
	const subject = "templates"
	var found struct {
		List []struct {
			Name     string `json:"name"`
			Template struct {
				Version int `json:"version"`
				Meta    struct {
					Dossier struct {
						Schema int `json:"schema"`
					} `json:"dossier"`
				} `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	path := "/_index_template/" + k.o.IndexPrefix + "-*?filter_path=index_templates.name,index_templates.index_template.version,index_templates.index_template._meta"
	err := k.client.Call(ctx, "read the templates", http.MethodGet, path, nil, &found)
	if err != nil && !isNotFound(err) {
		k.failed(subject, err)
		return
	}
	schema := map[string]int{}
	for _, f := range found.List {
		schema[f.Name] = f.Template.Meta.Dossier.Schema
	}
	good := 0
	for _, want := range k.templates {
		switch have, ok := schema[want.Name]; {
		case !ok:
			k.say(Failure, subject, "run dossier setup", "%s is missing", want.Name)
		case have < 1:
			k.say(Failure, subject, "rename it, or use another index_prefix", "%s is there, but Dossier did not make it", want.Name)
		case have < want.Version:
			k.say(Warning, subject, "run dossier setup", "%s has version %d, this is %d", want.Name, have, want.Version)
		case have > want.Version:
			k.say(Note, subject, "update this command and the sensors", "%s has version %d, newer than this command's %d", want.Name, have, want.Version)
		default:
			good++
		}
	}
	if good == len(k.templates) {
		k.say(OK, subject, "", "%d, version %d", good, profile.SchemaVersion)
	}
}

// indicesFit looks at each index of ours: whether we made it, whether its
// fields are the template's, and whether what is acknowledged there is durable
// and can be written at all.
func (k *checker) indicesFit(ctx context.Context) {
	const subject = "indices"
	single := []string{k.indices.Attackers(), k.indices.Targets(), k.indices.Indicators(), k.indices.Sensors()}
	months := append(k.months(k.ahead(0)), k.others()...)
	var later []string
	for n := 1; n <= monthsAhead; n++ {
		later = append(later, k.months(k.ahead(n))...)
	}
	seen, unseen, err := k.visible(ctx, slices.Concat(single, months, later))
	if err != nil {
		k.failed(subject, err)
		return
	}
	found, err := k.store.Inspect(ctx)
	if err != nil {
		k.failed(subject, err)
		return
	}
	there := map[string]bool{}
	for _, index := range found {
		there[index.Name] = true
		if !strings.HasSuffix(index.Kind, "-activity") {
			there[index.Kind] = true // an alias stands for it
		}
	}
	bad := 0
	var lacking []string
	for _, name := range seen {
		switch {
		case there[name]:
		case slices.Contains(later, name):
			lacking = append(lacking, name)
		case slices.Contains(single, name):
			bad++
			k.say(Failure, subject, "run dossier setup", "%s is missing", name)
		default:
			bad += k.missingMonth(ctx, name)
		}
	}
	bad += k.monthsEnd(ctx, lacking)
	for i := range found {
		bad += k.indexFits(&found[i])
	}
	if len(unseen) > 0 {
		k.say(Note, subject, "check as a user with the role "+k.roleName("setup"), "not looked at, these credentials may not: %s", strings.Join(unseen, ", "))
	}
	if _, err := k.client.ListKey(ctx, k.templates); errors.Is(err, esindex.ErrNoListKey) || errors.Is(err, esindex.ErrForeign) {
		bad++
		k.failed(subject, err)
	}
	if bad == 0 && len(found) > 0 {
		k.say(OK, subject, "", "%d, ours, with our fields, durable, open for writes", len(found))
	}
}

// visible tells apart the indices that these credentials may look at from the
// others, which Elasticsearch answers as if they weren't there.
func (k *checker) visible(ctx context.Context, names []string) (seen, unseen []string, err error) {
	const look = "view_index_metadata"
	has, err := k.may(ctx, look, names)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if has[name] {
			seen = append(seen, name)
		} else {
			unseen = append(unseen, name)
		}
	}
	return seen, unseen, nil
}

// may asks on which indices these credentials have a privilege: on all where
// the cluster has no security.
func (k *checker) may(ctx context.Context, privilege string, names []string) (map[string]bool, error) {
	has := map[string]bool{}
	if k.open {
		for _, name := range names {
			has[name] = true
		}
		return has, nil
	}
	have, _, err := k.privileges(ctx, roles.Role{Indices: []roles.Indices{{Names: names, Privileges: []string{privilege}}}})
	for _, p := range have {
		has[strings.TrimPrefix(p, privilege+" on ")] = true
	}
	return has, err
}

// monthsAhead is how many months after this one must have their indices: a
// quarter to notice that dossier setup doesn't run any more.
const monthsAhead = 3

// makes says whether the sensor that these credentials are for makes the
// index itself.
func (k *checker) makes(ctx context.Context, name string) (bool, error) {
	if k.role != roles.Writer && k.role != roles.CreatingWriter {
		return false, nil
	}
	has, err := k.may(ctx, "create_index", []string{name})
	return has[name], err
}

// missingMonth judges an index of this month, or of stray times, that isn't
// there. It returns how many faults that is.
func (k *checker) missingMonth(ctx context.Context, name string) int {
	const subject = "indices"
	switch makes, err := k.makes(ctx, name); {
	case err != nil:
		k.failed(subject, err)
	case makes:
		k.say(Note, subject, "", "%s is not there yet: the sensor makes it when it needs it", name)
		return 0
	case k.role == roles.Writer || k.role == roles.CreatingWriter:
		k.say(Failure, subject, "run dossier setup, from cron once a month", "%s is missing, and these credentials may not make it: chunks that need it are given back", name)
	default:
		k.say(Failure, subject, "run dossier setup, from cron once a month", "%s is missing: sensors with the role %s may not make it, and give back chunks that need it",
			name, k.roleName(roles.Writer))
	}
	return 1
}

// monthsEnd tells of the months ahead that have no indices. It returns how
// many faults that is.
func (k *checker) monthsEnd(ctx context.Context, lacking []string) int {
	const subject = "indices"
	if len(lacking) == 0 {
		return 0
	}
	switch makes, err := k.makes(ctx, lacking[0]); {
	case err != nil:
		k.failed(subject, err)
	case makes:
		return 0
	default:
		k.say(Warning, subject, "run dossier setup, from cron once a month",
			"the months ahead run out: %s is not there%s; from then on sensors with the role %s give their chunks back", lacking[0], others(len(lacking)-1), k.roleName(roles.Writer))
	}
	return 1
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", nor are %d others of the next %d months", n, monthsAhead)
}

// indexFits tells what is wrong with an index, and returns how many faults.
func (k *checker) indexFits(index *esindex.Index) (bad int) {
	name := index.Name
	wrong := func(l Level, fix, format string, args ...any) {
		bad++
		k.say(l, "index "+name, fix, format, args...)
	}
	if d := index.Setting("translog.durability"); d == "async" {
		wrong(Failure, fmt.Sprintf(`run dossier setup, or PUT /%s/_settings {"index.translog.durability":"request"}`, name),
			"durability is async: what Elasticsearch acknowledges may be lost when a node dies")
	}
	for _, block := range []string{"write", "read", "metadata", "read_only", "read_only_allow_delete"} {
		if index.Setting("blocks."+block) != "true" {
			continue
		}
		fix := fmt.Sprintf(`PUT /%s/_settings {"index.blocks.%s":null}`, name, block)
		if block == "write" && index.MayMove {
			fix = "where dossier reshard was stopped run it again, or dossier reshard --abort; else " + fix
		}
		if block == "read_only_allow_delete" {
			fix = "free disk space on the data nodes; the block is lifted then"
		}
		wrong(Failure, fix, "it is blocked (index.blocks.%s)", block)
	}
	for _, odd := range index.Odd {
		level := Warning
		if odd.Grave {
			level = Failure
		}
		wrong(level, "dossier setup didn't make it so: see who did, and put it right as docs/operations.md says under Foreign indices", "%s", odd.Text)
	}
	if index.Setting("hidden") == "true" {
		wrong(Warning, fmt.Sprintf(`PUT /%s/_settings {"index.hidden":null}`, name), "it is hidden: searches by pattern don't find it")
	}
	if index.Err != nil {
		bad++
		k.failed("index "+name, index.Err)
		return bad
	}
	return bad + k.fieldsFit(index)
}

// fieldsFit compares the index's fields with the template's.
func (k *checker) fieldsFit(index *esindex.Index) (bad int) {
	var missing, other []string
	for _, d := range index.Fields {
		if d.Have == "" {
			missing = append(missing, d.Field)
		} else {
			other = append(other, d.String())
		}
	}
	if len(other) > 0 {
		bad++
		k.say(Warning, "index "+index.Name, "run dossier setup; where it can't change that, reindex",
			"not as its template: %s: documents may be refused, and searches find less", some(other))
	}
	switch want := profile.SchemaVersion; {
	case index.Schema < want:
		bad++
		k.say(Warning, "index "+index.Name, "run dossier setup", "its mapping has version %d, this is %d", index.Schema, want)
	case index.Schema == want && len(missing) > 0:
		bad++
		k.say(Warning, "index "+index.Name, "run dossier setup", "fields are missing, so that searches don't find them: %s", some(missing))
	}
	return bad
}

func (k *checker) alias(ctx context.Context) {
	k.aliasOf(ctx, k.indices.Attackers(), profile.Alias(k.o.IndexPrefix), "attackers")
	k.aliasOf(ctx, k.indices.Indicators(), profile.IndicatorsAlias(k.o.IndexPrefix), "URLs, files and hosts that they used")
}

func (k *checker) aliasOf(ctx context.Context, index, alias, what string) {
	const subject = "alias"
	err := k.client.Call(ctx, "look for the alias", http.MethodGet, "/"+index+"/_alias/"+alias, nil, nil)
	switch {
	case err == nil:
		k.say(OK, subject, "", "%s is %s for Elastic Security", index, alias)
	case isMissing(err):
	case isNotFound(err):
		k.say(Warning, subject, "run dossier setup", "%s is missing: Elastic Security's indicator rules don't find the %s", alias, what)
	default:
		k.failed(subject, err)
	}
}

func (k *checker) health(ctx context.Context) {
	const subject = "health"
	var h struct {
		Status     string `json:"status"`
		Unassigned int    `json:"unassigned_shards"`
		Indices    map[string]struct {
			Status string `json:"status"`
		} `json:"indices"`
	}
	// A name without an index would be waited for; a pattern is not.
	patterns := k.patterns()
	for i, p := range patterns {
		patterns[i] = strings.TrimSuffix(p, "*") + "*"
	}
	path := "/_cluster/health/" + strings.Join(patterns, ",") + "?level=indices"
	if err := k.client.Call(ctx, "look at the indices' health", http.MethodGet, path, nil, &h); err != nil {
		k.failed(subject, err)
		return
	}
	var ill []string
	for _, name := range slices.Sorted(maps.Keys(h.Indices)) {
		if s := h.Indices[name].Status; s != "green" {
			ill = append(ill, name+" "+s)
		}
	}
	switch h.Status {
	case "red":
		k.say(Failure, subject, "look at GET _cluster/allocation/explain", "%s: what is red can't be written", strings.Join(ill, ", "))
	case "yellow":
		k.say(Warning, subject, "bring the missing data node back, or set replicas auto", "%s: %d copies are missing, a node that dies now may take data along", strings.Join(ill, ", "), h.Unassigned)
	case "green":
		k.say(OK, subject, "", "green")
	default:
		k.say(Warning, subject, "look at GET _cluster/health", "the cluster doesn't say how its indices are: %q", line(h.Status))
	}
}

// letters counts the dead letters on this host.
func (k *checker) letters() {
	const subject = "dead letters"
	var oldest time.Time
	raw := 0
	r, err := deadletter.Read(k.o.DeadLetterPath, func(l deadletter.Letter) error {
		if l.IsRaw() {
			raw++
		}
		if oldest.IsZero() || l.Time.Before(oldest) {
			oldest = l.Time
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.say(Note, subject, "", "there is no folder %s on this host", k.o.DeadLetterPath)
		return
	case errors.Is(err, os.ErrPermission):
		k.say(Note, subject, "check as the user Fluent Bit runs as", "%s is not for this user", k.o.DeadLetterPath)
		return
	case err != nil:
		k.say(Warning, subject, "", "%v", err)
		return
	case r.Letters+r.Damaged > 0:
		k.say(Warning, subject, "fix the cause (reason in each letter), then run dossier replay",
			"%d wait in %s, the oldest since %s; %d of them are raw, and %d lines are damaged", r.Letters, k.o.DeadLetterPath, oldest.UTC().Format(time.RFC3339), raw, r.Damaged)
	default:
		k.say(OK, subject, "", "none wait in %s", k.o.DeadLetterPath)
	}
	k.kept()
}

// kept counts what replays have kept because nobody could read it.
func (k *checker) kept() {
	r, err := deadletter.EachKept(k.o.DeadLetterPath, func(string, deadletter.Letter) error { return nil })
	switch {
	case err != nil:
		k.say(Warning, "dead letters", "", "%v", err)
	case r.Files > 0:
		k.say(Note, "dead letters", "look at them with dossier replay --show-raw, then remove the files",
			"%d raw ones and %d damaged lines are kept in %d files %s/*.jsonl.kept", r.Letters, r.Damaged, r.Files, k.o.DeadLetterPath)
	}
}

// line makes text from a document fit for a line on a terminal.
func line(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most-3] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
