package app

import (
	"testing"

	"blendtray/api"
)

func TestAStripHasASignForEachRun(t *testing.T) {
	last := []api.Verdict{{State: api.Running, AwaitsMachine: true}, {State: api.Running}, {State: api.Crashed}, {State: api.Succeeded}}
	if got := strip(last); got != ".!~-" {
		t.Errorf("the signs are %s, and the oldest is to be the first", got)
	}
}
