package app

import (
	"os"
	"path/filepath"
	"strings"

	"blendtray/api"
	"blendtray/app/fault"
)

// frameFlags are the flags that say which frames are rendered.
type frameFlags struct {
	Frame  *frame `placeholder:"N" help:"Render this frame."`
	Frames *frame `placeholder:"FRAMES" help:"Render these frames, such as 1-250,300 or 1-100x5."`
}

// frame is a flag whose value is frames. Its text is read by frames, which says what is wrong.
type frame string

// frames returns the frames of the flags, or none. It fails when the flags make no sense.
func (c frameFlags) frames() (api.Frames, error) {
	const hint = "--frames takes 12, 1-250, 1-250,300, 1-100x5, and +1..-1 from the ends of the scene; with a minus in front as --frames=-1"
	switch {
	case c.Frame != nil && c.Frames != nil:
		return api.Frames{}, fault.New(fault.Usage, hint, "both --frame and --frames were given")
	case c.Frame != nil:
		var one api.Frame
		if err := one.UnmarshalText([]byte(*c.Frame)); err != nil || one.None() {
			return api.Frames{}, fault.New(fault.Usage, hint, "--frame %s is not a single frame", *c.Frame)
		}
		return one.Frames, nil
	case c.Frames != nil:
		frames, err := api.FramesOf(string(*c.Frames))
		if err != nil {
			return frames, fault.New(fault.Usage, hint, "--frames: %w", err)
		}
		if frames.None() {
			return frames, fault.New(fault.Usage, hint, "--frames names no frame")
		}
		return frames, nil
	}
	return api.Frames{}, nil
}

type renderCmd struct {
	File string `arg:"" name:"scene" help:"The .blend file."`
	frameFlags
	Engine  string `placeholder:"NAME" help:"The render engine, such as CYCLES, BLENDER_EEVEE, BLENDER_EEVEE_NEXT (4.2 to 4.5) or BLENDER_WORKBENCH. Default: the scene's."`
	Output  string `placeholder:"PATTERN" help:"Where the pictures go, with # for the digits of the frame; // at the beginning is the folder of the .blend. Default: the scene's."`
	Format  string `placeholder:"NAME" help:"The format of the files, such as PNG, JPEG or OPEN_EXR. Default: the scene's."`
	Blender string `placeholder:"NAME" help:"The Blender that renders: a name of \"blendtray status\", or a version such as 4.5 (the newest Blender of it). Default: the Blender of the table blender."`
	limitFlags
	Timeout *timeLimit `placeholder:"TIME" help:"End it after this time, such as 30m or 8h. Default: no limit."`
	JSON    bool       `name:"json" help:"Print the finished run as JSON, and nothing else."`
}

func (renderCmd) Help() string {
	return `Renders frames of a .blend in a Blender that "blendtray serve" starts, as "blender -b SCENE -a" would, or with --frame or --frames as "blender -b SCENE -f FRAMES": into the same files, with the scene's own settings. Below what Blender prints stands how far it is, how long it will take, and the last picture. When Blender dies, another one goes on with the frame that is missing. Ctrl-C cancels the render; a second one leaves at once.

    blendtray render shot.blend
    blendtray render shot.blend --frames 1-250,300 --engine CYCLES
    blendtray render shot.blend --frame 12 --output ~/out/still_####
    blendtray render shot.blend --frames=-1

` + exitCodes
}

func (c *renderCmd) Run(e *env) error {
	sub, err := c.submission()
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	run, err := e.follow(client, sub, c.JSON)
	if err != nil {
		return err
	}
	return e.showEnded(run, c.JSON)
}

// submission returns a submission that does not depend on the folder of the client.
func (c *renderCmd) submission() (api.Submission, error) {
	s := api.Submission{
		Client: "blendtray render", Blender: c.Blender, Limits: c.limits(), TimeLimitSeconds: c.Timeout.seconds(),
		Render: &api.Render{Engine: c.Engine, Format: c.Format},
	}
	dir, err := os.Getwd()
	if err != nil {
		return s, err
	}
	s.Dir = dir
	if !strings.EqualFold(filepath.Ext(c.File), ".blend") {
		return s, fault.New(fault.Usage, "`blendtray run` runs scripts, and renders after them with --frames", "%s is no .blend file", c.File)
	}
	if s.Scene, err = scene(c.File, dir); err != nil {
		return s, err
	}
	if s.Render.Frames, err = c.frames(); err != nil {
		return s, err
	}
	s.Render.Output = outputPattern(c.Output, dir)
	return s, nil
}

// outputPattern returns the path of pictures that is not relative to the folder of the client. A
// separator at the end stays: Blender then puts the pictures into that folder.
func outputPattern(pattern, dir string) string {
	if pattern == "" || strings.HasPrefix(pattern, "//") || filepath.IsAbs(pattern) {
		return pattern
	}
	return strings.TrimSuffix(dir, string(filepath.Separator)) + string(filepath.Separator) + pattern
}
