package app

import (
	"errors"
	"io/fs"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/logfile"
)

type logCmd struct {
	Follow  bool   `short:"f" help:"Go on showing what is added, until Ctrl-C."`
	Number  int    `name:"number" short:"n" default:"50" placeholder:"N" help:"Begin with the last N lines (default: 50)."`
	Engine  bool   `help:"Show the engine's own log instead of Blender's." xor:"which"`
	Blender string `placeholder:"NAME" help:"Show the log of the Blender with this name instead of the default Blender's." xor:"which"`
}

func (logCmd) Help() string {
	return `All that Blender prints, the processes of a Blender together: while it starts, in runs, between them, and when it dies. "blendtray runs show ID" shows what one run printed. The log is read from its file, so no engine need be there; when a new file takes its place, -f goes on with the new file.`
}

func (c *logCmd) Run(e *env) error {
	if c.Number < 0 {
		return fault.New(fault.Usage, "", "-n can't be negative")
	}
	paths, err := home.Find()
	if err != nil {
		return err
	}
	path := paths.BlenderLog(c.Blender)
	if c.Engine {
		path = paths.EngineLog()
	}
	t := &logfile.Tail{Path: path, Write: e.writeOut}
	defer t.Close()
	err = t.Begin(c.Number)
	if errors.Is(err, fs.ErrNotExist) && !c.Follow {
		return fault.New(fault.Failed, "the first `blendtray serve` begins it", "there is no log yet: %s", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !c.Follow {
		return nil
	}
	return t.Follow(e)
}
