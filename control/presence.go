package control

import (
	"context"
	"sync"
	"time"

	"blendtray/api"
)

const (
	// presencePace is the shortest time between two reports of what agents do, renewTime how often an agent
	// is reported that does nothing: several times within the minute after which the engine forgets it.
	presencePace = 500 * time.Millisecond
	renewTime    = 20 * time.Second
	// reportTime bounds a report, and goodbyeTime the last reports, after which the process may end.
	reportTime  = 5 * time.Second
	goodbyeTime = time.Second
	// maxPresent is how many agents a process reports at most. Of more, those of which nothing
	// was noted for the longest time are left out: over HTTP any number of names may come.
	maxPresent = 32
)

// Presence tells an engine which agents a process answers, and what they do. Its methods never wait for the
// engine, and many goroutines may call them.
type Presence struct {
	client *Client
	// renew is renewTime. Tests have less.
	renew time.Duration

	mu     sync.Mutex
	all    map[string]*present // by id
	left   []string            // ids of agents that are gone, and of which the engine was not told
	change chan struct{}       // holds a value after a change
}

// present is an agent that is there.
type present struct {
	api.Agent
	at time.Time // when something was noted last
	// stay is how long the agent is there after that when no call goes on, or 0 while its connection lasts.
	stay time.Duration
	news bool // the engine was not told of the last change
}

// NewPresence returns a presence that tells the engine of a client, while [Presence.Serve] runs.
func NewPresence(c *Client) *Presence {
	return &Presence{client: c, renew: renewTime, all: map[string]*present{}, change: make(chan struct{}, 1)}
}

// Note notes what has changed of the agent with an id, which is new or known. The agent is there until
// [Presence.Leave], or with a stay until nothing was noted of it for so long.
func (p *Presence) Note(id string, stay time.Duration, change func(*api.Agent)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.all[id]
	if a == nil {
		a = &present{Agent: api.Agent{ID: id, Since: time.Now().UTC()}}
		p.all[id] = a
	}
	change(&a.Agent)
	a.at, a.stay, a.news = time.Now(), stay, true
	if len(p.all) > maxPresent {
		p.leaveLocked(p.oldestLocked())
	}
	p.pokeLocked()
}

// Leave notes that an agent is gone.
func (p *Presence) Leave(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(id)
	p.pokeLocked()
}

func (p *Presence) leaveLocked(id string) {
	if p.all[id] != nil {
		delete(p.all, id)
		p.left = append(p.left, id)
		p.left = p.left[max(0, len(p.left)-maxPresent):] // the engine forgets the others by itself
	}
}

func (p *Presence) pokeLocked() {
	select {
	case p.change <- struct{}{}:
	default: // a value is there
	}
}

// oldestLocked returns the id of the agent of which nothing was noted for the longest time.
func (p *Presence) oldestLocked() (id string) {
	for other, a := range p.all {
		if id == "" || a.at.Before(p.all[id].at) {
			id = other
		}
	}
	return id
}

// Serve tells the engine until ctx ends, and then that all agents are gone. It returns nil. An engine that
// does not answer is told later.
func (p *Presence) Serve(ctx context.Context) error {
	timer := time.NewTimer(p.renew)
	defer timer.Stop()
	for again := presencePace; ctx.Err() == nil; {
		wait, whole := p.renew, false
		select {
		case <-ctx.Done():
			continue
		case <-p.change:
		case <-timer.C:
			whole = true
		}
		if p.tell(ctx, whole) {
			again = presencePace
		} else { // there is no engine, or none that knows agents
			again = min(2*again, p.renew)
			wait = again
		}
		if wait = min(wait, p.nextEnd()); p.idle() {
			timer.Stop()
		} else {
			timer.Reset(wait)
		}
		select { // what changes meanwhile is told together
		case <-time.After(min(again, presencePace)):
		case <-ctx.Done():
		}
	}
	p.sayGoodbye()
	return nil
}

// idle reports whether there is nothing to tell.
func (p *Presence) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all) == 0 && len(p.left) == 0
}

// nextEnd returns how long the next agent stays that goes by itself.
func (p *Presence) nextEnd() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.renew
	for _, a := range p.all {
		if a.stay > 0 && a.Calling == 0 {
			next = min(next, max(0, time.Until(a.at.Add(a.stay))))
		}
	}
	return next
}

// tell tells the engine of the agents that have changed, or of all, and of those that are gone. It returns
// false when the engine does not answer.
func (p *Presence) tell(ctx context.Context, whole bool) bool {
	p.mu.Lock()
	var tell []api.Agent
	for id, a := range p.all {
		if a.stay > 0 && a.Calling == 0 && time.Since(a.at) >= a.stay {
			p.leaveLocked(id)
			continue
		}
		if a.news || whole {
			a.news = false
			tell = append(tell, copyOf(a.Agent))
		}
	}
	left := p.left
	p.left = nil
	p.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, reportTime)
	defer stop()
	for i, id := range left {
		if p.client.AgentLeft(ctx, id) != nil {
			p.mu.Lock()
			p.left = append(p.left, left[i:]...)
			p.mu.Unlock()
			p.missed(tell)
			return false
		}
	}
	for i, a := range tell {
		if p.client.HearAgent(ctx, a) != nil {
			p.missed(tell[i:])
			return false
		}
	}
	return true
}

// missed notes that the engine was not told of agents.
func (p *Presence) missed(all []api.Agent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range all {
		if there := p.all[a.ID]; there != nil {
			there.news = true
		}
	}
}

// copyOf returns an agent that does not change when the other does.
func copyOf(a api.Agent) api.Agent {
	a.Sessions = append([]string{}, a.Sessions...)
	if a.CalledAt != nil {
		at := *a.CalledAt
		a.CalledAt = &at
	}
	return a
}

// sayGoodbye tells the engine that all agents are gone.
func (p *Presence) sayGoodbye() {
	p.mu.Lock()
	for id := range p.all {
		p.leaveLocked(id)
	}
	left := p.left
	p.left = nil
	p.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), goodbyeTime)
	defer stop()
	for _, id := range left {
		if p.client.AgentLeft(ctx, id) != nil {
			return // the engine has ended, or forgets them by itself
		}
	}
}
