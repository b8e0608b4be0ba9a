// Package cloudid reads the cloud ids of Elastic Cloud.
package cloudid

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

var (
	errForm = errors.New("is no cloud id; copy it whole from the deployment's page (name:base64)")
	errHost = errors.New("names no host; copy it whole from the deployment's page (name:base64)")
)

// Parse reads a cloud id as Elastic's own tools do (libbeat's cloudid,
// go-elasticsearch): an optional label, which may hold colons itself, and the
// base64 of "domain[:port]$elasticsearch[:port]$kibana[:port]". Everything
// from the second "$" on may be missing. A port of Elasticsearch's own goes
// before the domain's; without any it is 443. An error completes "this ...".
func Parse(id string) (*url.URL, error) {
	id = strings.TrimSpace(id)
	coded := id[strings.LastIndexByte(id, ':')+1:]
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(coded, "="))
	parts := strings.Split(string(raw), "$")
	if err != nil || len(parts) < 2 || parts[0] == "" || parts[1] == "" || parts[1] == "undefined" {
		return nil, errForm
	}
	domain, port := cutPort(parts[0])
	cluster, own := cutPort(parts[1])
	host := cluster + "." + domain
	if own != "" {
		port = own
	}
	if !isHostName(host) {
		return nil, errHost
	}
	if port == "" {
		return &url.URL{Scheme: "https", Host: host}, nil
	}
	if strings.Trim(port, "0123456789") != "" {
		return nil, errHost
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("has the port %.20s, and ports go from 1 to 65535", port)
	}
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}, nil
}

// cutPort splits "name:port" at the last colon.
func cutPort(s string) (name, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// isHostName says whether s is a name that a certificate can be for: labels
// of letters, digits, "-" and "_".
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}
