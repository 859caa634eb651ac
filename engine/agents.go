package engine

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"blendtray/api"
)

const (
	// agentTime is how long an agent counts as connected of which nothing is heard.
	agentTime = time.Minute
	// maxAgents is how many agents are known at most. Of more, those of which nothing was heard for the
	// longest time are forgotten.
	maxAgents = 100
)

// agents are the programs for agents that are connected. The servers that answer them say so, again and
// again: a server that is killed says nothing, and its agents are forgotten after a time.
type agents struct {
	// changed is called, without mu, after an agent has come, called or gone.
	changed func()
	// life is agentTime. Tests have less.
	life time.Duration

	mu     sync.Mutex
	all    map[string]*heardAgent // by id
	closed bool
}

// heardAgent is an agent, and what forgets it.
type heardAgent struct {
	api.Agent
	at     time.Time // when it was heard last
	forget *time.Timer
}

// hear notes an agent as it is now, and that it is there. It returns the agent as it is kept.
func (a *agents) hear(is api.Agent) api.Agent {
	is = is.Clean()
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return is
	}
	if a.all == nil {
		a.all = map[string]*heardAgent{}
	}
	known := a.all[is.ID]
	if is.Since.IsZero() {
		if is.Since = time.Now().UTC(); known != nil {
			is.Since = known.Since
		}
	}
	news := known == nil || !sameAgent(known.Agent, is)
	if known == nil {
		known = &heardAgent{}
		known.forget = time.AfterFunc(a.life, func() { a.expire(is.ID, known) })
		a.all[is.ID] = known
	}
	known.Agent, known.at = is, time.Now()
	known.forget.Reset(a.life)
	if len(a.all) > maxAgents {
		a.dropLocked(a.quietestLocked())
	}
	a.mu.Unlock()
	if news {
		a.changed()
	}
	return is
}

// sameAgent reports whether two states of an agent say the same.
func sameAgent(a, b api.Agent) bool {
	if (a.CalledAt == nil) != (b.CalledAt == nil) || a.CalledAt != nil && !a.CalledAt.Equal(*b.CalledAt) {
		return false
	}
	return a.Title() == b.Title() && a.Transport == b.Transport && a.Client == b.Client && slices.Equal(a.Sessions, b.Sessions) &&
		a.Since.Equal(b.Since) && a.Call == b.Call && a.Calling == b.Calling && a.Calls == b.Calls && a.Runs == b.Runs
}

// quietestLocked returns the id of the agent of which nothing was heard for the longest time. It needs mu.
func (a *agents) quietestLocked() (id string) {
	for other, h := range a.all {
		if id == "" || h.at.Before(a.all[id].at) {
			id = other
		}
	}
	return id
}

// dropLocked forgets an agent, and reports whether it was known. It needs mu.
func (a *agents) dropLocked(id string) bool {
	known := a.all[id]
	if known == nil {
		return false
	}
	known.forget.Stop()
	delete(a.all, id)
	return true
}

// expire forgets an agent of which nothing was heard, unless it was heard at the last moment.
func (a *agents) expire(id string, of *heardAgent) {
	a.mu.Lock()
	gone := a.all[id] == of && time.Since(of.at) >= a.life && a.dropLocked(id)
	a.mu.Unlock()
	if gone {
		a.changed()
	}
}

// leave forgets an agent, and reports whether it was known.
func (a *agents) leave(id string) bool {
	a.mu.Lock()
	gone := a.dropLocked(id)
	a.mu.Unlock()
	if gone {
		a.changed()
	}
	return gone
}

// list returns the agents in the order in which they came.
func (a *agents) list() []api.Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]api.Agent, 0, len(a.all))
	for _, h := range a.all {
		list = append(list, h.Agent)
	}
	slices.SortFunc(list, func(x, y api.Agent) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID))
	})
	return list
}

// close forgets all agents, and those that come.
func (a *agents) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for id := range a.all {
		a.dropLocked(id)
	}
}

// HearAgent notes that an agent is connected, and what the agent has done. An agent of which nothing more
// is heard for a minute counts as gone. An agent that does not say since when it is connected is connected
// since it was heard first. HearAgent returns the agent as it is kept.
func (e *Engine) HearAgent(a api.Agent) api.Agent { return e.agents.hear(a) }

// AgentLeft notes that an agent is gone, and reports whether it was known.
func (e *Engine) AgentLeft(id string) bool { return e.agents.leave(id) }

// Agents returns the agents that are connected, in the order in which they came.
func (e *Engine) Agents() []api.Agent { return e.agents.list() }
