package app

import (
	"context"
	"strings"

	"blendtray/api"
	"blendtray/control"
)

// blenderName is the argument of the commands that act on a Blender.
type blenderName struct {
	Name string `arg:"" optional:"" help:"The Blender, as \"blendtray status\" names it."`
}

type startCmd struct{ blenderName }

func (startCmd) Help() string {
	return `Has the running engine start a Blender, or the default one and those that folders name if no name is given, and waits until it is ready. A Blender that was stopped, or that failed too often, is started again, too. The engine itself is started with "blendtray serve".`
}

func (c *startCmd) Run(e *env) error { return e.blender((*control.Client).StartBlender, c.Name) }

type stopCmd struct{ blenderName }

func (stopCmd) Help() string {
	return `Has the running engine stop a Blender, or all of them if no name is given, and waits until they are gone. Their current runs are cancelled. The engine stays, notes saves, and runs them when Blender is started again.`
}

func (c *stopCmd) Run(e *env) error { return e.blender((*control.Client).StopBlender, c.Name) }

type restartCmd struct{ blenderName }

func (restartCmd) Help() string {
	return `Has the running engine stop a Blender and start it anew, and waits until it is ready: after an update of Blender, or when add-ons were changed. Without a name this means the default Blender and all that are running.`
}

func (c *restartCmd) Run(e *env) error { return e.blender((*control.Client).RestartBlender, c.Name) }

type reloadCmd struct{}

func (reloadCmd) Help() string {
	return `Has the running engine read settings.toml again. Its folders and the table "runs" hold at once. blender.attach holds after the current run, and the rest of the table "blender" from the next start of Blender on (see "blendtray restart"). Settings that are wrong change nothing.`
}

func (reloadCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	st, err := client.ReloadFolders(e)
	if err != nil {
		return err
	}
	e.printStatus(st)
	return nil
}

// blender calls do for a Blender of the engine and shows the state of the Blenders after that.
func (e *env) blender(do func(*control.Client, context.Context, string) (api.Status, error), name string) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	before, err := client.Sessions(e)
	if err != nil {
		return err
	}
	st, err := do(client, e, name)
	if err != nil {
		return err
	}
	e.printBlenders(st)
	after, err := client.Sessions(e)
	if err != nil {
		return err
	}
	if ended := endedMeanwhile(before, after); len(ended) > 0 {
		e.note("these sessions have ended with it: %s", strings.Join(ended, ", "))
	}
	return nil
}

// runDoes calls do for a run of the engine and prints the result.
func (e *env) runDoes(id string, do func(*control.Client, context.Context, string) (api.Run, error), format string) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	run, err := do(client, e, id)
	if err != nil {
		return err
	}
	e.printf(format, run.ID, nameOf(run))
	return nil
}
