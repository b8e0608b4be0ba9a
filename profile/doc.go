// Package profile turns states into documents: the profile of an attacker,
// the mail domains it aimed at, its hours, the lines it crossed, and the
// heartbeat of a sensor.
//
// One table, Fields, says what every document holds. The mappings, the index
// templates, the documentation and the tests come from it, so that they can't
// drift apart.
//
// Rendering is a pure function of the state, the enrichment files and the
// rules: however the events were cut into chunks, and in whatever order they
// came, the same events give the same document, byte for byte, but for
// updated_at and state.
package profile
