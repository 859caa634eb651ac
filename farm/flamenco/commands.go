package flamenco

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blendtray/api"
)

// commands are what a worker can do, by the names that Flamenco's job types use, and two of its own. i is
// the place of the command in its task.
var commands = map[string]func(ctx context.Context, j *job, i int, c command) error{
	// The type "blender".
	"blender-render": blenderRender,
	// The type "blendtray": the job types of this program.
	"blendtray-script": blendtrayScript,
	"blendtray-render": blendtrayRender,
	// The type "misc".
	"echo":  echo,
	"sleep": sleepFor,
	"exec":  execProgram,
	// The type "file-management".
	"make-directory": makeDirectory,
	"move-directory": moveDirectory,
	"copy-file":      copyFile,
	// The type "ffmpeg".
	"frames-to-video": framesToVideo,
}

// parameters reads the parameters of a command of Flamenco's. What it does not know is passed over and
// said in the log: a later version may have more.
func parameters[T any](j *job, c command) (T, error) {
	p, err := ownParameters[T](c)
	if err == nil {
		return p, nil
	}
	var loose T
	if json.Unmarshal(c.Parameters, &loose) == nil {
		j.report.printf("%s: passed over: %v\n", c.Name, err)
		return loose, nil
	}
	return p, err
}

// ownParameters reads the parameters of a command of this program's. It fails for what it does not know.
func ownParameters[T any](c command) (T, error) {
	var p T
	decoder := json.NewDecoder(bytes.NewReader(c.Parameters))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return p, errors.New("its parameters: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return p, nil
}

// scriptParameters are those of the command blendtray-script.
type scriptParameters struct {
	// Script is the absolute path of a script, or Code is its text.
	Script string `json:"script"`
	Code   string `json:"code"`
	// Args are the arguments, which the script finds after -- in sys.argv.
	Args []string `json:"args"`
	// Scene is the absolute path of a .blend, "" for a fresh scene.
	Scene string `json:"scene"`
	// Frames are rendered after the script, as by `blendtray run --frames`.
	Frames string `json:"frames"`
	// Blender is a Blender of the engine, "" for that of the worker.
	Blender string `json:"blender"`
	// Seconds is the time limit, 0 for that of the engine.
	Seconds float64 `json:"seconds"`
}

// blendtrayScript executes a script as a run.
func blendtrayScript(ctx context.Context, j *job, i int, c command) error {
	p, err := ownParameters[scriptParameters](c)
	if err != nil {
		return err
	}
	sub := api.Submission{Args: p.Args, Scene: p.Scene, Blender: p.Blender, TimeLimitSeconds: p.Seconds}
	switch {
	case p.Script != "" && p.Code != "", p.Script == "" && p.Code == "":
		return errors.New("it has one of script and code")
	case p.Code != "":
		sub.Code, sub.Name = []byte(p.Code), "<"+cut(j.task.Name, 100)+">"
		if sub.Dir, err = os.Getwd(); err != nil {
			return err
		}
	case !filepath.IsAbs(p.Script):
		return fmt.Errorf("the script %s has no absolute path", p.Script)
	default:
		if sub.Code, err = os.ReadFile(p.Script); err != nil {
			return err
		}
		sub.Script = p.Script
	}
	if sub.Scene == "" {
		sub.Scene = "fresh"
	}
	frames, err := api.FramesOf(p.Frames)
	if err != nil {
		return err
	}
	if !frames.None() {
		sub.Render = &api.Render{Frames: frames}
	}
	return j.run(ctx, i, sub)
}

// renderParameters are those of the command blendtray-render.
type renderParameters struct {
	// Scene is the absolute path of a .blend.
	Scene string `json:"scene"`
	// Frames are as for `blendtray render --frames`, "" for the scene's own.
	Frames  string `json:"frames"`
	Engine  string `json:"engine"`
	Output  string `json:"output"`
	Format  string `json:"format"`
	Blender string `json:"blender"`
}

// blendtrayRender renders frames of a .blend as a run.
func blendtrayRender(ctx context.Context, j *job, i int, c command) error {
	p, err := ownParameters[renderParameters](c)
	if err != nil {
		return err
	}
	frames, err := api.FramesOf(p.Frames)
	if err != nil {
		return err
	}
	if p.Scene == "" {
		return errors.New("it names no scene")
	}
	return j.run(ctx, i, api.Submission{
		Scene: p.Scene, Blender: p.Blender,
		Render: &api.Render{Frames: frames, Engine: p.Engine, Output: p.Output, Format: p.Format},
	})
}

// echo writes a line into the log.
func echo(_ context.Context, j *job, _ int, c command) error {
	p, err := parameters[struct {
		Message string `json:"message"`
	}](j, c)
	if err != nil {
		return err
	}
	j.report.printf("echo: %s\n", p.Message)
	return nil
}

// sleepFor waits for some seconds.
func sleepFor(ctx context.Context, j *job, _ int, c command) error {
	p, err := parameters[struct {
		Seconds float64 `json:"duration_in_seconds"`
	}](j, c)
	if err != nil {
		return err
	}
	if p.Seconds < 0 {
		return fmt.Errorf("%v seconds are none", p.Seconds)
	}
	return pause(ctx, time.Duration(p.Seconds*float64(time.Second)))
}
