package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestAgentsCanBeToldOfAndListed(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	ctx := t.Context()
	if err := c.HearAgent(ctx, api.Agent{ID: "one", Name: "ro\x1bbot", Transport: api.OverPipe, Calls: 2}); err != nil {
		t.Fatal(err)
	}
	all, err := c.Agents(ctx)
	if err != nil || len(all) != 1 || all[0].Name != "ro bot" || all[0].Since.IsZero() || all[0].Sessions == nil || all[0].Calls != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	for range 2 { // that it is gone may be told twice
		if err := c.AgentLeft(ctx, "one"); err != nil {
			t.Error(err)
		}
	}
	if all, err := c.Agents(ctx); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, id := range []string{"../x", strings.Repeat("x", 65), " "} {
		var refused *Error
		if err := c.HearAgent(ctx, api.Agent{ID: id}); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}

// tells begins to tell the engine of a client, and returns what ends that.
func tells(t *testing.T, p *Presence) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAPresenceTellsTheEngineOfItsAgents(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	p := NewPresence(c)
	p.renew = 20 * time.Millisecond
	stop := tells(t, p)
	p.Note("pipe", 0, func(a *api.Agent) { a.Name = "robot" })
	p.Note("http", time.Nanosecond, func(a *api.Agent) { a.Name, a.Calling = "caller", 1 })
	named := func(name string) bool {
		for _, a := range f.Agents() {
			if a.Name == name {
				return true
			}
		}
		return false
	}
	eventually(t, "both are told of", func() bool { return named("robot") && named("caller") })
	p.Note("http", time.Nanosecond, func(a *api.Agent) { a.Calling = 0 })
	eventually(t, "the caller is gone after its call, and the other stays", func() bool { return named("robot") && !named("caller") })
	f.AgentLeft("pipe") // the engine has forgotten it
	eventually(t, "the engine is told again", func() bool { return named("robot") })
	stop()
	if all := f.Agents(); len(all) != 0 {
		t.Errorf("after the end there are %+v", all)
	}
}

// An engine may come after its agents, and end before them.
func TestAPresenceWaitsForAnEngine(t *testing.T) {
	t.Parallel()
	address, err := Address(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := NewPresence(NewClient(address))
	p.renew = 20 * time.Millisecond
	stop := tells(t, p)
	p.Note("a", 0, func(a *api.Agent) { a.Name = "robot" })
	p.Note("b", 0, func(*api.Agent) {})
	p.Leave("b")
	for range 2 {
		f := newFake()
		end := serveOn(t, address, f)
		eventually(t, "the engine knows the agent", func() bool { all := f.Agents(); return len(all) == 1 && all[0].Name == "robot" })
		end()
	}
	stop()
}

func TestAPresenceIsBounded(t *testing.T) {
	t.Parallel()
	p := NewPresence(NewClient("nobody"))
	for i := range 10 * maxPresent {
		p.Note(fmt.Sprint("a", i), time.Minute, func(*api.Agent) {})
		p.Note("kept", 0, func(*api.Agent) {})
	}
	if p.all["kept"] == nil || len(p.all) > maxPresent || len(p.left) > maxPresent {
		t.Errorf("%d agents, %d that have left", len(p.all), len(p.left))
	}
}
