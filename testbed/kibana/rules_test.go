package kibana

import (
	"testing"

	"dossier/testbed/esnode"
)

func proveRules(t *testing.T, node *esnode.Node, prefix string) {}
