package cloudid

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ id, want string }{
		{"site:" + code("eu.example.org$es$kb"), "https://es.eu.example.org"},
		{code("eu.example.org$es"), "https://es.eu.example.org"},
		{"a:b:" + code("eu.example.org:9243$es$kb"), "https://es.eu.example.org:9243"},
		{"x:" + code("eu.example.org:9243$es:9244$kb"), "https://es.eu.example.org:9244"},
		{"x:" + code("eu.example.org$es:65535"), "https://es.eu.example.org:65535"},
		{"x:" + code("eu.example.org$es:65536"), "has the port 65536, and ports go from 1 to 65535"},
		{"x:" + code("eu.example.org:0$es"), "has the port 0, and ports go from 1 to 65535"},
		{"x:" + code("eu.example.org$es:"+strings.Repeat("9", 500)), "has the port " + strings.Repeat("9", 20) + ", and ports go from 1 to 65535"},
		{"x:" + code("eu.example.org$es:http"), "names no host"},
		{"x:" + code("eu.exam ple.org$es"), "names no host"},
		{"x:" + code("eu.example.org$undefined$kb"), "is no cloud id"},
		{"x:" + code("eu.example.org"), "is no cloud id"},
		{"x:???", "is no cloud id"},
		{"", "is no cloud id"},
	} {
		got := ""
		if u, err := Parse(test.id); err != nil {
			got = err.Error()
		} else {
			got = u.String()
		}
		if u := strings.HasPrefix(test.want, "https:"); u && got != test.want || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s, want %s", test.id, got, test.want)
		}
	}
}

func code(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
