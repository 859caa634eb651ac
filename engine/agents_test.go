package engine

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
)

// newTestAgents returns agents that are forgotten after a time, and a count of what was told of them.
func newTestAgents(life time.Duration) (*agents, *atomic.Int64) {
	told := new(atomic.Int64)
	return &agents{life: life, changed: func() { told.Add(1) }}, told
}

func TestAnAgentIsThereUntilItLeaves(t *testing.T) {
	t.Parallel()
	a, told := newTestAgents(time.Hour)
	second := api.Agent{ID: "b", Name: "second", Since: time.Now()}
	first := api.Agent{ID: "a", Name: "fi\x1brst", Since: second.Since.Add(-time.Minute)}
	a.hear(second)
	a.hear(first)
	a.hear(first) // nothing is new
	if all := a.list(); len(all) != 2 || all[0].Name != "fi rst" || all[1].ID != "b" || told.Load() != 2 {
		t.Errorf("%+v, told %d times", all, told.Load())
	}
	first.Runs = 1
	a.hear(first)
	if all := a.list(); all[0].Runs != 1 || told.Load() != 3 {
		t.Errorf("%+v, told %d times", all, told.Load())
	}
	if !a.leave("a") || a.leave("a") || len(a.list()) != 1 || told.Load() != 4 {
		t.Errorf("%+v, told %d times", a.list(), told.Load())
	}
	a.close()
	a.hear(first)
	if all := a.list(); len(all) != 0 {
		t.Errorf("after the end: %+v", all)
	}
}

func TestAnAgentIsThereSinceItWasHeardFirst(t *testing.T) {
	t.Parallel()
	a, _ := newTestAgents(time.Hour)
	first := a.hear(api.Agent{ID: "a"})
	again := a.hear(api.Agent{ID: "a", Calls: 1})
	if first.Since.IsZero() || !again.Since.Equal(first.Since) || again.Calls != 1 {
		t.Errorf("there since %v, then since %v", first.Since, again.Since)
	}
}

// The process of an agent may be killed, and then nobody says that it is gone.
func TestAnAgentIsForgottenOfWhichNothingIsHeard(t *testing.T) {
	t.Parallel()
	a, told := newTestAgents(20 * time.Millisecond)
	a.hear(api.Agent{ID: "a"})
	eventually(t, "the agent is forgotten, which is told", func() bool { return len(a.list()) == 0 && told.Load() == 2 })
	// A timer that fires as the agent is heard again forgets nothing.
	a.life = time.Hour
	a.hear(api.Agent{ID: "b"})
	a.expire("b", a.all["b"])
	if len(a.list()) != 1 {
		t.Error("an agent was forgotten that was heard a moment ago")
	}
}

func TestTheAgentsAreBoundedInNumber(t *testing.T) {
	t.Parallel()
	a, _ := newTestAgents(time.Hour)
	for i := range 3 * maxAgents {
		a.hear(api.Agent{ID: fmt.Sprint("a", i)})
		a.hear(api.Agent{ID: "kept"})
	}
	all := a.list()
	kept := false
	for _, one := range all {
		kept = kept || one.ID == "kept"
	}
	if len(all) != maxAgents || !kept {
		t.Errorf("%d agents; is that there that was heard all the time: %v", len(all), kept)
	}
}

func TestTheStatusAndTheEventsTellOfAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	events := h.Subscribe(SubscribeOptions{})
	defer events.Close()
	h.HearAgent(api.Agent{ID: "a", Name: "robot"})
	if ev := <-events.Events(); ev.Kind != api.KindAgents {
		t.Errorf("%+v", ev)
	}
	if st := h.Status(); len(st.Agents) != 1 || st.Agents[0].Name != "robot" {
		t.Errorf("%+v", st.Agents)
	}
}
