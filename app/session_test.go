package app

import (
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestTheSessionsNameTheirBlenderWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	chair := api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady}
	table := api.Session{Name: "table", Blender: "old", State: api.SessionReady}
	for _, c := range []struct {
		all  []api.Session
		want bool
	}{{[]api.Session{chair}, false}, {[]api.Session{chair, table}, true}} {
		s := newScreen(false)
		(&env{terminal: s.terminal}).printSessions(c.all, time.Now())
		if out := s.out.String(); strings.Contains(out, "BLENDER") != c.want || c.want && !strings.Contains(out, "old") {
			t.Errorf("%d sessions are listed as\n%s", len(c.all), out)
		}
	}
}
