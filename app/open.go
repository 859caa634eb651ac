package app

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
)

type openCmd struct {
	ID    string `arg:"" optional:"" name:"run" help:"The run whose scene it is. Default: the last one."`
	Save  string `placeholder:"FILE" help:"Only save the copy as this .blend, and open nothing."`
	Again bool   `help:"Where the scene is gone, run the code once more and take what that leaves."`
	JSON  bool   `name:"json" help:"Print the run, the file and the program as JSON."`
}

func (openCmd) Help() string {
	return `Saves a copy of the scene that the last run left, and opens the copy in Blender, with a window. Only the last run has left its scene; an earlier run is run again first with --again. Of a run in a session it is what the session has now.

    blendtray open
    blendtray open --save result.blend
    blendtray open ID --again`
}

func (c *openCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	req := api.SceneRequest{Run: c.ID, Again: c.Again, Client: "blendtray open"}
	if c.Save == "" {
		if err := needWindow(); err != nil {
			return err
		}
	} else {
		if req.File, err = filepath.Abs(c.Save); err != nil {
			return err
		}
		if !strings.EqualFold(filepath.Ext(req.File), ".blend") {
			return fault.New(fault.Usage, "", "--save: the name of %s does not end in .blend", c.Save)
		}
	}
	saved, err := client.SaveScene(e, req)
	if err == nil && c.Save == "" {
		err = openSaved(saved)
	}
	switch {
	case err != nil:
		return err
	case c.JSON:
		return e.printJSON(saved)
	case c.Save == "":
		e.note("%s is opened by %s", api.NameInLine(saved.File), saved.Program)
	default:
		e.note("made %s", api.NameInLine(saved.File))
	}
	return nil
}

// openSaved opens the copy of a scene with the program that has made it.
func openSaved(saved api.SavedScene) error {
	if saved.Program == "" {
		return fault.New(fault.Failed, "open "+saved.File+" yourself", "it is not known which Blender is used")
	}
	return startDetached(saved.Program, saved.File)
}

// firstMoments is how long a Blender is watched that was started with a window: what ends in this
// time has not opened.
const firstMoments = 2 * time.Second

// startDetached starts a program that stays when this program and its terminal end. It fails when
// the program ends with an error at once.
func startDetached(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // Wait prevents a zombie
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
		}
	case <-time.After(firstMoments):
	}
	return nil
}
