package law

import (
	"encoding/binary"
	"math"

	"dossier/correlate/event"

	"github.com/dchest/siphash"
)

// Rank decides which keys a full list keeps: those whose keyed hash is
// smallest. The hash is SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast
// short-input PRF", 2012), made so that who doesn't know the key can't choose
// inputs by their hash: an attacker can try as many texts as they like and
// learns nothing of where they go.
//
// All writers of a prefix have the same Rank. The zero value is that of the
// key of zeros, for tests.
type Rank struct{ k0, k1 uint64 }

// RankKeySize is the length of a Rank's key in bytes.
const RankKeySize = 16

// NewRank returns the Rank of a key.
func NewRank(key [RankKeySize]byte) Rank {
	return Rank{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

// ID tells Ranks apart and says nothing else of their keys: states carry it.
func (r Rank) ID() uint64 { return r.of("dossier rank") }

// Share returns the part of all keys that come no later than key does, from 0
// to 1. It spreads a decision evenly and alike on every sensor.
func (r Rank) Share(key string) float64 { return float64(r.of(key)) / math.MaxUint64 }

// of returns the place of a key, never 0.
func (r Rank) of(key string) uint64 {
	return max(1, siphash.Hash(r.k0, r.k1, event.Bytes(key)))
}

// ofHash returns the place of a key of which only a hash is known.
func (r Rank) ofHash(h uint64) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h)
	return max(1, siphash.Hash(r.k0, r.k1, b[:]))
}
