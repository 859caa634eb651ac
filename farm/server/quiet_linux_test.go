//go:build !nofarmserver && !race

package server

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server/pse"
)

func TestTheLibraryReadsNothingEverySecond(t *testing.T) {
	t.Parallel()
	var cpu float64
	var resident, virtual int64
	if err := pse.ProcUsage(&cpu, &resident, &virtual); err == nil {
		t.Error("the library goes on reading how much of the processor the program takes")
	}
}
