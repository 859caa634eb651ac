package app

import (
	"path/filepath"
	"slices"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/blender"
	"blendtray/engine"
)

// debug executes a run from this process, in a Blender that is started for it and ends with it. The
// run waits for a debugger before its first line, for as long as a person needs: so it is not the
// engine's, whose runs it would hold up, and is not in the history.
func (c *runCmd) debug(e *env, sub api.Submission) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	loaded, err := homeSource(paths).Load()
	if err != nil {
		return wrongSettings(err)
	}
	if err := paths.Make(); err != nil {
		return err
	}
	if sub.Scene == "keep" {
		sub.Scene = "fresh" // a Blender of its own has nothing else
	}
	sub.Isolation = api.IsolateProcess
	if c.Timeout == nil {
		sub.TimeLimitSeconds = -1
	}
	specs := loaded.Specs(paths.Blenders())
	named := max(0, slices.IndexFunc(specs, func(b api.BlenderSpec) bool { return b.Name == sub.Blender }))
	if sub.Blender != "" && specs[named].Name != sub.Blender {
		return fault.New(fault.Usage, "`blendtray status` names them", "--debug needs a Blender of the settings, and %s is none of them", sub.Blender)
	}
	spec := specs[named]
	sub.Blender = ""
	spec.Name, spec.Attach, spec.Port, spec.Dir = "debug", false, 0, filepath.Join(paths.Blenders(), "debug")
	if filepath.IsAbs(sub.Scene) {
		spec.Scene = sub.Scene
	}
	ctx, cancel := e.untilSignal()
	defer cancel(nil)
	b := blender.New(blender.Config{BlenderSpec: spec})
	defer serving(e, b.Serve)()
	b.Start()
	run, err := engine.Direct{
		Blender: b, Runs: loaded.Runs, Sink: &directOutput{env: e}, Debug: &blender.Debug{Path: paths.Debugger()},
	}.Run(ctx, sub)
	e.done()
	if err != nil && ctx.Err() != nil {
		return fault.New(fault.Cancelled, "", "cancelled before the script began")
	}
	if err != nil {
		return fault.New(fault.Failed, "`blendtray doctor` looks for the cause", "nothing was executed: %w", err)
	}
	return c.ended(e, run)
}
