// Package kubernetes holds the manifest and the Helm values of conf/kubernetes
// against Kubernetes' own types, and their parts against each other.
package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kubeyaml "sigs.k8s.io/yaml"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../conf/kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// manifest is all that a manifest may hold.
type manifest struct {
	config  corev1.ConfigMap
	service corev1.Service
	policy  networkingv1.NetworkPolicy
	set     appsv1.StatefulSet
}

// decode reads a manifest; a field that its kind hasn't is an error.
func decode(text []byte) (m manifest, err error) {
	kinds := map[string]any{
		"v1 ConfigMap": &m.config, "v1 Service": &m.service, "networking.k8s.io/v1 NetworkPolicy": &m.policy, "apps/v1 StatefulSet": &m.set,
	}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc yaml.Node
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return m, err
		}
		one, err := yaml.Marshal(&doc)
		if err != nil {
			return m, err
		}
		var of struct{ APIVersion, Kind string }
		if err := kubeyaml.Unmarshal(one, &of); err != nil {
			return m, err
		}
		name := of.APIVersion + " " + of.Kind
		into := kinds[name]
		if into == nil {
			return m, errors.New("what is " + name + "?")
		}
		delete(kinds, name)
		if err := kubeyaml.UnmarshalStrict(one, into); err != nil {
			return m, err
		}
	}
	if len(kinds) > 0 {
		return m, errors.New("something is missing")
	}
	return m, nil
}

func TestManifest(t *testing.T) {
	m, err := decode(read(t, "dossier.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pod := m.set.Spec.Template.Spec
	container := pod.Containers[0]
	labels := m.set.Spec.Template.Labels
	for what, selector := range map[string]map[string]string{
		"the set": m.set.Spec.Selector.MatchLabels, "the service": m.service.Spec.Selector, "the policy": m.policy.Spec.PodSelector.MatchLabels,
	} {
		for k, v := range selector {
			if labels[k] != v {
				t.Errorf("%s selects %s=%s, the pod has %v", what, k, v, labels)
			}
		}
		if len(selector) == 0 {
			t.Errorf("%s selects nothing", what)
		}
	}
	for k := range m.policy.Spec.Ingress[0].From[0].PodSelector.MatchLabels {
		if errs := validation.IsQualifiedName(k); len(errs) > 0 {
			t.Error(errs)
		}
	}
	if m.set.Spec.ServiceName != m.service.Name {
		t.Errorf("the set is of the service %s, which is %s", m.set.Spec.ServiceName, m.service.Name)
	}
	volumes := pod.Volumes
	for _, claim := range m.set.Spec.VolumeClaimTemplates {
		volumes = append(volumes, corev1.Volume{Name: claim.Name})
	}
	c := config(t, []byte(m.config.Data["fluent-bit.yaml"]))
	c.fits(t, volumes, container.VolumeMounts, container.Env, *pod.TerminationGracePeriodSeconds)
	if at := mount(container.VolumeMounts, pod.Volumes, m.config.Name); !slices.Contains(container.Args, at+"/fluent-bit.yaml") {
		t.Errorf("it starts with %q, the configuration is in %s", container.Args, at)
	}
	ports := map[string]string{}
	for _, p := range container.Ports {
		ports[p.Name] = strconv.Itoa(int(p.ContainerPort))
	}
	if ports["http"] != c.Service["http_port"] || ports["forward"] != c.Pipeline.Inputs[0]["port"] {
		t.Errorf("ports %v, Fluent Bit listens on %s and %s", ports, c.Service["http_port"], c.Pipeline.Inputs[0]["port"])
	}
	for _, name := range []string{m.service.Spec.Ports[0].TargetPort.StrVal, m.policy.Spec.Ingress[0].Ports[0].Port.StrVal, container.LivenessProbe.HTTPGet.Port.StrVal} {
		if ports[name] == "" {
			t.Errorf("no port is named %q", name)
		}
	}
	if *container.SecurityContext.ReadOnlyRootFilesystem && !strings.HasPrefix(c.Service["storage.path"], "/var/lib/fluent-bit/") {
		t.Errorf("%s can't be written", c.Service["storage.path"])
	}
}

// What the test is for: each of these is noticed.
func TestManifestFaults(t *testing.T) {
	text := string(read(t, "dossier.yaml"))
	for old, now := range map[string]string{
		"terminationGracePeriodSeconds": "terminationGracePeriod", "volumeMounts:": "volumeMount:", "runAsNonRoot: true": "runAsNonRoot: yes please",
		"kind: Service\n": "kind: Sevice\n", "replicas: 1": "replicas: one", "{drop: [ALL]}": "{dropped: [ALL]}",
	} {
		if !strings.Contains(text, old) {
			t.Errorf("the manifest has no %q", old)
		}
		if _, err := decode([]byte(strings.Replace(text, old, now, 1))); err == nil {
			t.Errorf("%q in place of %q is not noticed", now, old)
		}
	}
}

// values are those of the chart that are set, by its values.yaml and
// templates/_pod.tpl.
type values struct {
	Kind   string
	Image  struct{ Repository, Tag string }
	Args   []string
	Config struct {
		ExtraFiles map[string]string
	}
	Env                           []corev1.EnvVar
	ExtraVolumes                  []corev1.Volume
	ExtraVolumeMounts             []corev1.VolumeMount
	TerminationGracePeriodSeconds int64
	Resources                     corev1.ResourceRequirements
	RBAC                          struct{ Create bool } `json:"rbac"`
	ServiceAccount                struct{ AutomountServiceAccountToken bool }
	TestFramework                 struct{ Enabled bool }
}

func TestValues(t *testing.T) {
	var v values
	if err := kubeyaml.UnmarshalStrict(read(t, "fluent-bit-values.yaml"), &v); err != nil {
		t.Fatal(err)
	}
	text := v.Config.ExtraFiles["fluent-bit.yaml"]
	if strings.Contains(text, "{{") {
		t.Error("the chart takes the configuration for a template")
	}
	config(t, []byte(text)).fits(t, v.ExtraVolumes, v.ExtraVolumeMounts, v.Env, v.TerminationGracePeriodSeconds)
	if !slices.Contains(v.Args, "--config=/fluent-bit/etc/conf/fluent-bit.yaml") {
		t.Errorf("it starts with %q; the chart mounts the file in /fluent-bit/etc/conf", v.Args)
	}
}

// fluentBit is a configuration of Fluent Bit.
type fluentBit struct {
	Service  map[string]string
	Plugins  []string
	Pipeline struct{ Inputs, Outputs []map[string]string }
}

func config(t *testing.T, text []byte) fluentBit {
	t.Helper()
	var c fluentBit
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil || len(c.Pipeline.Inputs) != 1 || len(c.Pipeline.Outputs) != 1 {
		t.Fatalf("%v: %v", err, c)
	}
	return c
}

// fits checks that what the configuration names is there, and that it has the
// settings of those in conf/.
func (c fluentBit) fits(t *testing.T, volumes []corev1.Volume, mounts []corev1.VolumeMount, env []corev1.EnvVar, stop int64) {
	t.Helper()
	for _, m := range mounts {
		if !slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("%s is mounted, and no volume", m.Name)
		}
	}
	out, in := c.Pipeline.Outputs[0], c.Pipeline.Inputs[0]
	for _, path := range []string{c.Service["storage.path"], out["dead_letter_path"], out["es_ca_file"], out["es_api_key_file"], in["db"]} {
		if path != "" && !slices.ContainsFunc(mounts, func(m corev1.VolumeMount) bool { return strings.HasPrefix(path, m.MountPath+"/") }) {
			t.Errorf("%s is on no volume", path)
		}
	}
	b, err := os.ReadFile("../../conf/dossier-decnet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shipped := config(t, b)
	for key, want := range shipped.Service {
		if got := c.Service[key]; key != "http_listen" && got != want {
			t.Errorf("service: %s is %q, in dossier-decnet.yaml %q", key, got, want)
		}
	}
	if !slices.Equal(c.Plugins, shipped.Plugins) {
		t.Errorf("the plugin is %q", c.Plugins)
	}
	for _, key := range []string{"name", "workers", "retry_limit", "index_prefix", "cache_size", "commit_timeout"} {
		if out[key] != shipped.Pipeline.Outputs[0][key] {
			t.Errorf("output: %s is %q", key, out[key])
		}
	}
	if in["storage.type"] != "filesystem" || out["manage_templates"] != "off" {
		t.Errorf("storage.type %q, manage_templates %q", in["storage.type"], out["manage_templates"])
	}
	if grace, err := strconv.ParseInt(c.Service["grace"], 10, 64); err != nil || stop <= grace {
		t.Errorf("Kubernetes waits %d s, Fluent Bit %d, %v", stop, grace, err)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(out["sensor_id"], "${"), "}")
	if !slices.ContainsFunc(env, func(e corev1.EnvVar) bool { return e.Name == name && e.ValueFrom.FieldRef != nil }) {
		t.Errorf("sensor_id is %s, which the environment hasn't", out["sensor_id"])
	}
}

// mount returns where the ConfigMap's files are.
func mount(mounts []corev1.VolumeMount, volumes []corev1.Volume, name string) string {
	for _, v := range volumes {
		if v.ConfigMap == nil || v.ConfigMap.Name != name {
			continue
		}
		for _, m := range mounts {
			if m.Name == v.Name {
				return m.MountPath
			}
		}
	}
	return ""
}
