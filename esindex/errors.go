package esindex

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
)

// What is wrong with an index, for errors.Is.
var (
	// ErrForeign: the index was not made by us.
	ErrForeign = errors.New("the index was not made by dossier")
	// ErrMissing: there is no such index.
	ErrMissing = errors.New("the index does not exist")
	// ErrNoListKey: the index has no list key yet.
	ErrNoListKey = errors.New("the index has no list key")
	// ErrFixed: the index was made with another value of an option that
	// can't change once there are documents.
	ErrFixed = errors.New("the index was made with another setting")
	// ErrOverlap: indices of another installation would be taken for ours.
	ErrOverlap = errors.New("another installation's indices fall under this one's names")
)

// Error is a failed request, or what was found instead of one of our indices.
type Error struct {
	// Op is what was tried: "bulk", "read", "create index x".
	Op string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Type is Elasticsearch's name for the error, if it gave one.
	Type string
	// Reason is one line about the cause without any of a document's
	// content.
	Reason string
	// Fix says what an operator should do, in one line; it may be empty.
	Fix string

	cause error
}

// Error returns one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("elasticsearch: ")
	b.WriteString(e.Op)
	if e.Status != 0 {
		b.WriteString(": HTTP ")
		b.WriteString(strconv.Itoa(e.Status))
	}
	for _, s := range []string{e.Type, e.Reason} {
		if s != "" {
			b.WriteString(": ")
			b.WriteString(s)
		}
	}
	if e.Fix != "" {
		b.WriteString("; ")
		b.WriteString(e.Fix)
	}
	return b.String()
}

// Unwrap returns what the error was made from: a context's error, one of the
// network, ErrForeign, ErrMissing, ErrNoListKey, ErrFixed, ErrOverlap
// or nil.
func (e *Error) Unwrap() error { return e.cause }

// hasStatus says whether err is an answer with that status.
func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status
}

// newTransportError describes a request that got no whole answer.
func newTransportError(op string, err error) *Error {
	e := &Error{Op: op, cause: err, Reason: oneLine(err.Error())}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	host, isHost := errors.AsType[x509.HostnameError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, isAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	_, isAlert := errors.AsType[tls.AlertError](err)
	network, isNet := errors.AsType[net.Error](err)
	proxy, isProxy := errors.AsType[*proxyError](err)
	outer, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isProxy:
		e.Reason = oneLine(proxy.Error())
		e.Fix = "look at the proxy of HTTPS_PROXY, or except the nodes in NO_PROXY"
		if proxy.status == http.StatusProxyAuthRequired {
			e.Fix = fix(proxy.status, "", "")
		}
	case isOp && outer.Op == "proxyconnect":
		e.Reason = "the proxy can't be reached: " + oneLine(outer.Err.Error())
		e.Fix = "correct HTTPS_PROXY or HTTP_PROXY, or except the nodes in NO_PROXY"
	case errors.Is(err, context.Canceled):
		e.Reason = "canceled"
	case errors.Is(err, context.DeadlineExceeded), isNet && network.Timeout() && !isDNS:
		e.Reason = "no answer in time"
		e.Fix = "look whether the cluster is overloaded or a firewall drops the connection"
	case isDNS && dns.IsNotFound:
		e.Reason = "unknown host " + oneLine(dns.Name)
		e.Fix = "correct es_hosts, or the name service of this machine"
	case isDNS:
		e.Fix = "look at the name service of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = "connection refused" + peer(err)
		e.Fix = "start Elasticsearch, or correct the host and port in es_hosts"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		e.Reason = "the connection was reset" + peer(err)
		e.Fix = "look at the node and at what stands before it if this stays"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.Reason = "no route to the host"
		e.Fix = "look at the network between this machine and es_hosts"
	case isAuthority:
		e.Reason = "the node's certificate is signed by an authority that is not trusted"
		e.Fix = "give the authority's certificate as es_ca_file"
	case isHost:
		e.Reason = "the node's certificate is for another name than " + oneLine(host.Host)
		e.Fix = "use a name from the certificate in es_hosts, or give the node a certificate for this one"
	case isInvalid && invalid.Reason == x509.Expired:
		e.Reason = "the node's certificate has expired or is not valid yet"
		e.Fix = "renew it, or correct the clock of this machine"
	case isAlert, strings.Contains(e.Reason, "remote error: tls:"):
		e.Fix = "the node refused this side of the TLS connection: look at es_client_cert and es_client_key"
	case isPlain:
		e.Reason = "the node does not speak TLS at this port"
		e.Fix = "write http:// in es_hosts, or turn TLS on in Elasticsearch"
	case strings.Contains(e.Reason, "malformed HTTP"), strings.HasSuffix(e.Reason, "readLoopPeekFailLocked: %!w(<nil>)"):
		// The second is net/http's where a node speaks before it is asked.
		e.Reason = "the answer is not HTTP"
		e.Fix = "correct the port in es_hosts, and write https:// where the node has TLS"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Reason = "the connection ended before the answer"
		e.Fix = "if this stays, write https:// in es_hosts where the node has TLS"
	}
	return e
}

// peer names the node of a failed connection; the local port beside it would
// make each line another one.
func peer(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return " by " + op.Addr.String()
	}
	return ""
}

// newStatusError describes an answer that is no success. Where the request
// was about documents, no more of the reason is kept than may be shown.
func newStatusError(op string, status int, body []byte, document bool) *Error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	var inner cause
	if json.Unmarshal(body, &answer) == nil && json.Unmarshal(answer.Error, &inner) != nil {
		json.Unmarshal(answer.Error, &inner.Reason) // some errors are a mere text
	}
	e := &Error{Op: op, Status: status, Type: errorType(inner.Type)}
	switch {
	case inner.Type != "" && document:
		e.Reason = safeReason(e.Type, inner.Reason)
	case inner.Type != "":
		e.Reason = oneLine(inner.Reason)
		// What it is about often stands in the last cause only.
		if last := inner.last(); !strings.Contains(inner.Reason, last.Reason) {
			e.Reason = strings.TrimPrefix(e.Reason+": "+oneLine(last.Reason), ": ")
		}
	case len(inner.Reason) < 200: // of the request line or the like
		e.Reason = oneLine(inner.Reason)
	}
	if e.Type == "" && e.Reason == "" {
		e.Reason = http.StatusText(status)
	}
	e.Fix = fix(status, e.Type, inner.Reason)
	return e
}

// cause is one of the errors that Elasticsearch gives, one inside the other.
type cause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	By     *cause `json:"caused_by"`
}

func (c *cause) last() *cause {
	for c.By != nil {
		c = c.By
	}
	return c
}

// refusedWhy are the causes of a 401: Elasticsearch says the same of all.
const refusedWhy = "it may have expired or been revoked, or a node that has just started can't look it up yet, which passes"

// fix says what an operator should do about an error of Elasticsearch.
func fix(status int, typ, reason string) string {
	has := func(s string) bool { return strings.Contains(reason, s) }
	switch {
	case status == http.StatusUnauthorized:
		return "correct es_user and es_password, or es_api_key; " + refusedWhy
	case typ == "security_exception" && has("by the cluster privileges"):
		return "give the role or API key that cluster privilege, or use credentials that have it"
	case typ == "security_exception":
		return "give the role or API key that privilege on these indices"
	case typ == "cluster_block_exception" && has("flood-stage"), typ == "cluster_block_exception" && has("read-only / allow delete"):
		return "free disk space on the data nodes; the block goes when the disk is below the high watermark"
	case typ == "cluster_block_exception" && (has("no master") || has("no cluster-manager") || has("state not recovered")),
		typ == "master_not_discovered_exception", typ == "cluster_manager_not_discovered_exception":
		return "the cluster has no master yet; look at the master nodes if this stays"
	case typ == "cluster_block_exception":
		return "remove the block from the index (PUT <index>/_settings: index.blocks.*: null)"
	case typ == "es_rejected_execution_exception", typ == "rejected_execution_exception":
		return "the cluster is overloaded; chunks are tried again until it recovers, and if it doesn't give it more nodes or fewer writers"
	case typ == "circuit_breaking_exception":
		return "the node is short of heap; give it more memory or fewer writers"
	case has(" shards open"), has("cluster.max_shards_per_node"):
		return "delete old indices, or raise cluster.max_shards_per_node"
	case typ == "index_closed_exception":
		return "open the index again (POST <index>/_open)"
	case typ == "unavailable_shards_exception", typ == "no_shard_available_action_exception":
		return "a shard has no copy that works; look at GET _cluster/allocation/explain"
	case typ == "index_not_found_exception":
		return "correct index_prefix, or run dossier setup, which makes what is missing and the indices of the months ahead"
	case typ == "process_cluster_event_timeout_exception", typ == "timeout_exception":
		return "the master is overloaded; look at GET _cluster/pending_tasks"
	case has("number of documents in the index cannot exceed"):
		return "the shard is full (2,147,483,519 documents); reindex into more shards"
	case has("no write index is defined"), has("more than one index"):
		return "the index name is an alias of several indices; leave one behind it"
	case has("cluster.minimum.index.refresh_interval"):
		return "set refresh_interval to no less than the cluster's cluster.minimum.index.refresh_interval"
	case has("pipeline with id"):
		return "create the ingest pipeline the index setting names, or remove the setting"
	case status == http.StatusBadRequest && typ == "" && reason == "":
		return "write https:// in es_hosts where the node has TLS"
	case status == http.StatusForbidden:
		return "look at the rights of the user or API key, and at a proxy in between"
	case status == http.StatusNotFound:
		return "look at the path in es_hosts, and at a proxy in between"
	case status == http.StatusRequestEntityTooLarge:
		return "raise http.max_content_length, or the limit of a proxy in between"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return "the cluster or a proxy before it can't serve now; look at GET _cluster/health if this stays"
	case status == http.StatusTooManyRequests:
		return "the cluster or a proxy before it is overloaded"
	case status == http.StatusProxyAuthRequired:
		return "correct the credentials in HTTPS_PROXY or HTTP_PROXY, or except the nodes in NO_PROXY"
	}
	return ""
}

// rejects says whether an item's error means that Elasticsearch will never
// take the document. Some of these types also stand for a state of the
// cluster: those do not mean the document.
func rejects(status int, typ, reason string) bool {
	if status != http.StatusBadRequest {
		return false
	}
	switch typ {
	case "document_parsing_exception", "mapper_parsing_exception", "strict_dynamic_mapping_exception":
		return true
	case "illegal_argument_exception":
		for _, s := range []string{
			"number of documents in the index cannot exceed", "no write index is defined", "more than one index",
			"pipeline with id", " shards open", "cluster.max_shards_per_node", "Limit of total fields",
		} {
			if strings.Contains(reason, s) {
				return false
			}
		}
		return true
	}
	return false
}

// maxReason bounds a reason in bytes.
const maxReason = 300

// quiet are the types of errors whose reasons tell of the cluster, never of
// a document.
var quiet = map[string]bool{
	"security_exception": true, "cluster_block_exception": true, "es_rejected_execution_exception": true,
	"circuit_breaking_exception": true, "index_not_found_exception": true, "index_closed_exception": true,
	"unavailable_shards_exception": true, "no_shard_available_action_exception": true, "validation_exception": true,
	"master_not_discovered_exception": true, "process_cluster_event_timeout_exception": true,
	"invalid_index_name_exception": true, "resource_already_exists_exception": true, "node_not_connected_exception": true,
	"shard_not_found_exception": true, "no_node_available_exception": true, "invalid_alias_name_exception": true,
	"index_template_missing_exception": true, "resource_not_found_exception": true, "unavailable_exception": true,
	"coordination_state_rejected_exception": true, "not_master_exception": true, "cluster_manager_throttling_exception": true,
	"invalid_index_template_exception": true,
	// OpenSearch's names for some of them.
	"rejected_execution_exception": true, "cluster_manager_not_discovered_exception": true, "not_cluster_manager_exception": true,
}

// safeReason returns what may be shown of a reason: one line, bounded, and
// nothing that quotes a document. Of an error about a document only names
// from the mapping are kept.
func safeReason(typ, reason string) string {
	if quiet[typ] {
		return oneLine(reason)
	}
	if field, rest, ok := between(reason, "field [", "]"); ok && isName(field) {
		if kind, _, ok := between(rest, " of type [", "]"); ok && isName(kind) {
			return "field " + field + " of type " + kind
		}
		return "field " + field
	}
	if field, _, ok := between(reason, "immense term in field=\"", "\""); ok && isName(field) {
		return "a value of field " + field + " is too long to be indexed"
	}
	return ""
}

// between returns what stands between two marks, and what follows.
func between(s, before, after string) (in, rest string, ok bool) {
	if _, s, ok = strings.Cut(s, before); !ok {
		return "", "", false
	}
	return strings.Cut(s, after)
}

// isName says whether s looks like the name of a field or of its type.
func isName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '@' && r != '-'
	}) < 0
}

// errorType returns the type of an error if it looks like one.
func errorType(s string) string {
	if !isName(s) {
		return ""
	}
	return s
}

// oneLine makes text from outside fit for a line of a log.
func oneLine(s string) string {
	cut := len(s) > maxReason
	if cut {
		s = s[:maxReason]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < 0x20 || r > 0x7e:
			return '?'
		}
		return r
	}, s)
	if cut {
		return s + "..."
	}
	return strings.TrimRight(s, "; ")
}
