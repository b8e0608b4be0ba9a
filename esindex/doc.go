// Package esindex keeps documents that carry a state in Elasticsearch.
//
// A Client talks to the nodes and says, in one line, what an operator has to
// fix when that fails. Install puts templates, and creates the indices that
// have one fixed name. A Store reads states with _mget and writes documents
// by compare-and-set with _bulk; it creates each index itself, with the
// mapping it was given, and never writes to one that somebody else made.
//
// The package knows a document as a key and a state, and nothing of what is
// in it. What Elasticsearch says about a document may quote it, so no more
// than the kind of an error and names from the mapping get into messages.
package esindex
