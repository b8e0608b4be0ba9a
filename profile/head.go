package profile

import "dossier/correlate"

// Head is what a document shows beside its own state.
type Head = correlate.Head

var (
	_ correlate.Renderer  = (*Renderer)(nil)
	_ correlate.Annotator = (*Renderer)(nil)
)
