// Package remote sends runs of an engine to the machines of a farm. A [Remote] takes the place of a Blender in
// the engine: it makes a job of each run, follows the job, and returns how it ended, with what it has
// made beside the script.
//
// A run has a key, under which it is one job for ever. So a run that is sent again, because the engine has
// ended meanwhile or the server was away, is not executed twice.
package remote

import (
	"context"
	"errors"
	"sync"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/farm"
)

// maxRuns is how many runs are on the farm at the same time. The others wait in the engine.
const maxRuns = 256

// Config is the configuration of a [Remote].
type Config struct {
	// Spec has the name, and in Asked the Blender that the machines must have.
	Spec api.BlenderSpec
	// Membership is the path of the file of this machine's membership, which need not be there yet.
	Membership string
	Changed    func(api.BlenderStatus)
}

// Remote sends runs to a farm. Its methods are those that the engine needs of a Blender.
type Remote struct {
	cfg   Config
	slots chan struct{} // a value for each run on the farm

	mu     sync.Mutex
	status api.BlenderStatus
	member farm.Membership // to which client belongs
	client *farm.Client    // nil before the first run
	over   bool
}

// New returns a Remote, which connects to the farm when a run needs it.
func New(cfg Config) *Remote {
	if cfg.Changed == nil {
		cfg.Changed = func(api.BlenderStatus) {}
	}
	return &Remote{
		cfg: cfg, slots: make(chan struct{}, maxRuns),
		status: api.BlenderStatus{Name: cfg.Spec.Name, Kind: api.BlenderFarm, State: api.BlenderReady},
	}
}

// Serve returns when ctx ends, and closes the connection.
func (r *Remote) Serve(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.closeLocked()
	return nil
}

// Start has runs sent again after [Remote.Stop].
func (r *Remote) Start() { r.set(api.BlenderReady, "") }

// Stop notes that no run is to be sent; the engine sends none.
func (r *Remote) Stop(context.Context) error {
	r.set(api.BlenderStopped, "")
	return nil
}

// Restart does what [Remote.Start] does: there is no process.
func (r *Remote) Restart(context.Context) error {
	r.Start()
	return nil
}

// Status returns whether runs are sent, and in Reason what is in the way.
func (r *Remote) Status() api.BlenderStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Remote) set(state api.BlenderState, reason string) {
	r.mu.Lock()
	before := r.status
	r.status.State, r.status.Reason = state, reason
	now := r.status
	r.mu.Unlock()
	if now != before {
		r.cfg.Changed(now)
	}
}

// say notes what keeps runs from being sent, or "", and leaves it at that whether runs are to be sent.
func (r *Remote) say(reason string) { r.set(r.Status().State, reason) }

// Processes returns none: they are on other machines.
func (r *Remote) Processes() []api.ProcessStatus { return nil }

// Expect, Alert and Configure change nothing.
func (r *Remote) Expect(int, []string)      {}
func (r *Remote) Alert(blender.Request)     {}
func (r *Remote) Configure(api.BlenderSpec) {}

// Ready connects to the farm, and fails as [Remote.Await] does.
func (r *Remote) Ready(ctx context.Context) error {
	_, err := r.connect(ctx)
	return err
}

// Await returns when the farm takes another run. It fails with [farm.ErrNotMember] where this machine has
// joined no farm, and when no server answers.
func (r *Remote) Await(ctx context.Context, _ blender.Request) error {
	if _, err := r.connect(ctx); err != nil {
		return err
	}
	select {
	case r.slots <- struct{}{}:
		<-r.slots
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Free reports whether there is a connection and room for a run.
func (r *Remote) Free(blender.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.client != nil && len(r.slots) < maxRuns
}

// Preview fails with [blender.ErrNoPreview]: the scene is on another machine.
func (r *Remote) Preview(context.Context, string, string, blender.Drawing) error {
	return blender.ErrNoPreview
}

// connect returns a connection as the member that this machine is now.
func (r *Remote) connect(ctx context.Context) (*farm.Client, error) {
	m, err := farm.ReadMembership(r.cfg.Membership)
	var c *farm.Client
	if err == nil {
		c, err = r.dial(ctx, m)
	}
	switch {
	case errors.Is(err, farm.ErrNotMember):
		err = errors.New("this machine has joined no farm: `blendtray farm join` has it join one")
	case err == nil && !c.Card.Has(farm.RoleSubmit):
		err = errors.New("this machine may not submit jobs to its farm: an administrator invites it with --roles submit,work")
	}
	if err != nil {
		r.drop(m)
		r.say(err.Error())
		return nil, err
	}
	return c, nil
}

// dial returns the connection of a member.
func (r *Remote) dial(ctx context.Context, m *farm.Membership) (*farm.Client, error) {
	r.mu.Lock()
	if r.client != nil && r.member != *m {
		r.closeLocked()
	}
	c, over := r.client, r.over
	r.mu.Unlock()
	if over {
		return nil, blender.ErrStopped
	}
	if c != nil {
		return c, nil
	}
	c, err := farm.Dial(ctx, m, farm.DialOptions{})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over:
		c.Close()
		return nil, blender.ErrStopped
	case r.client != nil && r.member == *m: // another run was faster
		c.Close()
		return r.client, nil
	}
	r.client, r.member = c, *m
	return c, nil
}

// drop forgets the connection where this machine is no longer the same member.
func (r *Remote) drop(m *farm.Membership) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil && (m == nil || *m != r.member) {
		r.closeLocked()
	}
}

// closeLocked closes the connection, if there is one. The runs that use it look for that. It needs mu.
func (r *Remote) closeLocked() {
	if r.client != nil {
		r.client.Close()
		r.client = nil
	}
}

// isCurrent reports whether a connection is the one that new runs use, and whether this machine is still the
// member to which the connection belongs, perhaps with another card.
func (r *Remote) isCurrent(c *farm.Client) (current, member bool) {
	m, err := farm.ReadMembership(r.cfg.Membership)
	r.mu.Lock()
	defer r.mu.Unlock()
	current = r.client == c
	if err != nil {
		return current, !errors.Is(err, farm.ErrNotMember)
	}
	return current, m.Seed == c.Member.Seed
}
