package control

import (
	"context"
	"errors"
	"testing"

	"blendtray/api"
)

func TestTheFarmIsAskedFor(t *testing.T) {
	t.Parallel()
	asked := 0
	_, c := serve(t, newFake(), func(s *Server) {
		s.farm = func(_ context.Context, n int) api.Farm {
			asked = n
			return api.Farm{Member: "desk", Machines: []api.FarmMachine{{Name: "hall"}}}
		}
	})
	f, err := c.Farm(t.Context(), 7)
	if err != nil || f.Member != "desk" || len(f.Machines) != 1 || f.Groups == nil || asked != 7 {
		t.Errorf("%+v, %v; %d groups were asked for", f, err, asked)
	}
	if _, err := c.Farm(t.Context(), 0); !errors.Is(err, api.ErrBad) {
		t.Errorf("no group: %v", err)
	}
	_, without := serve(t, newFake())
	if f, err := without.Farm(t.Context(), 1); err != nil || f.Member != "" || f.Machines == nil {
		t.Errorf("an engine that knows of no farm: %+v, %v", f, err)
	}
}
