package app

import (
	"context"

	"blendtray/api"
	"blendtray/control"
)

type startCmd struct{}

func (startCmd) Help() string {
	return `Has the running engine start its Blender, and waits until it is ready. It is how a Blender goes on that was stopped, or that failed too often. The engine itself is started with "blendtray serve".`
}

func (startCmd) Run(e *env) error { return e.blender((*control.Client).StartBlender) }

type stopCmd struct{}

func (stopCmd) Help() string {
	return `Has the running engine stop its Blender, and waits until it is gone. What it runs is cancelled. The engine stays, notes saves, and runs them when Blender is started again.`
}

func (stopCmd) Run(e *env) error { return e.blender((*control.Client).StopBlender) }

type restartCmd struct{}

func (restartCmd) Help() string {
	return `Has the running engine stop its Blender and start a new one, and waits until that is ready: after an update of Blender, or when add-ons were changed.`
}

func (restartCmd) Run(e *env) error { return e.blender((*control.Client).RestartBlender) }

type reloadCmd struct{}

func (reloadCmd) Help() string {
	return `Has the running engine read settings.toml again. The folders in it and the table "runs" hold at once, and so does blender.attach, after the run that is on; the rest of the table "blender" from Blender's next start on (see "blendtray restart"). Settings that are wrong change nothing.`
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

// blender has the engine do something with its Blender, and shows what it then is like.
func (e *env) blender(do func(*control.Client, context.Context) (api.Status, error)) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	st, err := do(client, e)
	if err != nil {
		return err
	}
	for _, b := range st.Blenders {
		e.printf("%-8s %s\n", "blender", e.describeBlender(b))
	}
	return nil
}

// runDoes asks the engine for something about a run and prints what came of it.
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
