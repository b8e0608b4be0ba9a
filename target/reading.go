package target

import (
	"fmt"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/profile/enrich"
)

// Reading is what an output of these options reads chunks and renders documents
// with, without a cluster: for who wants to know what becomes of records.
type Reading struct {
	// Engine lacks the Committer.
	Engine correlate.Options
	Model  correlate.ModelOptions
	// Machine says how chunks become durable.
	Machine commit.MachineOptions

	files *enrich.Files
}

// NewReading opens the files that the options name. Close closes them.
func NewReading(o options.Options) (*Reading, error) {
	parser, err := NewParser(o)
	if err != nil {
		return nil, err
	}
	set, err := readRules(o)
	if err != nil {
		return nil, err
	}
	r := &Reading{Engine: engineOptions(o), Model: modelOptions(o), Machine: machineOptions(o)}
	if r.files, err = enrich.Open(databaseOptions(o)); err != nil {
		return nil, fmt.Errorf("dossier: option %w", err)
	}
	rendered := rendererOptions(o)
	rendered.Rules, rendered.Files = set, r.files
	if rendered.InternalHosts, err = readHosts(o); err != nil {
		r.files.Close()
		return nil, err
	}
	renderer, err := profile.New(rendered)
	if err != nil {
		r.files.Close()
		return nil, err
	}
	r.Model.Renderer = renderer
	r.Engine.Parser, r.Engine.Annotator = parser, annotator(renderer)
	r.Engine.Decode = decode
	return r, nil
}

func decode(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) }

// Close closes what NewReading opened.
func (r *Reading) Close() { r.files.Close() }
