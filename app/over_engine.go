package app

import (
	"context"

	"blendtray/api"
	"blendtray/app/settings"
	"blendtray/control"
	"blendtray/engine"
)

// overEngine is an engine with the owner of its settings, as the control interface needs them:
// its status includes the state of the settings, and its events include their changes.
type overEngine struct {
	*engine.Engine
	owner *settings.Owner
	// program is what the engine was started from.
	program ownProgram
}

// Status returns the engine's status, with the status of the settings and of the program.
func (o overEngine) Status() api.Status {
	st := o.Engine.Status()
	st.Settings = o.owner.Status()
	st.Engine.Replaced = o.program.replacement() != nil
	return st
}

// StartBlender starts a Blender with the current settings from the file.
func (o overEngine) StartBlender(ctx context.Context, name string) error {
	o.owner.Look()
	return o.Engine.StartBlender(ctx, name)
}

// RestartBlender starts a Blender anew, with the current settings from the file.
func (o overEngine) RestartBlender(ctx context.Context, name string) error {
	o.owner.Look()
	return o.Engine.RestartBlender(ctx, name)
}

// Subscribe returns a stream of events, with the output of runs if output is true.
func (o overEngine) Subscribe(output bool) control.Subscription {
	return o.Engine.Subscribe(engine.SubscribeOptions{Output: output})
}

// Follow makes a run and returns it with the events of the run.
func (o overEngine) Follow(ctx context.Context, s api.Submission) (api.Run, control.Subscription, error) {
	r, sub, err := o.Engine.Follow(ctx, s)
	if err != nil {
		return r, nil, err
	}
	return r, sub, nil
}
