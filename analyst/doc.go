// Package analyst reads the profiles: one by its address, those that a search
// finds, and all of them as a stream. It needs a reader's key and no more.
//
// Everything in a profile may have been chosen by an attacker, or by whoever
// stole a sensor's key. So every text is repaired when it is decoded, by the
// function that sensors repair with; what is shown afterwards holds no control
// character, no escape sequence and nothing that changes its direction.
package analyst
