package mcp

import (
	"testing"

	"blendtray/api"
)

func TestARunThatNoMachineOfTheFarmHasBegunWaits(t *testing.T) {
	t.Parallel()
	run := api.Run{State: api.Running, Blender: "farm", Reason: "it waits for a machine of the farm"}
	if got, want := stateWords(run), "waits: it waits for a machine of the farm"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
