package commit

// Contents returns the model's payload of a stored state, and how many chunks
// the state holds.
func Contents(state []byte) (payload []byte, applied int, err error) {
	e, err := decodeEnvelope(state)
	return e.payload, len(e.applied), err
}

// Reencode returns the state as it would be written now.
func Reencode(state []byte) ([]byte, error) {
	e, err := decodeEnvelope(state)
	if err != nil {
		return nil, err
	}
	return e.append(nil), nil
}
