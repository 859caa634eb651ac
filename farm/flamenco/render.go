package flamenco

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/shlex"

	"blendtray/api"
)

// blenderParameters are those of the command blender-render, as Flamenco's job types write them: a
// command line of Blender in pieces.
type blenderParameters struct {
	Exe        string   `json:"exe"`
	ExeArgs    string   `json:"exeArgs"`
	ArgsBefore []string `json:"argsBefore"`
	BlendFile  string   `json:"blendfile"`
	Args       []string `json:"args"`
}

// blenderRender renders what a command line of Blender says, as a run of the engine. The Blender is that
// of the engine, and not the program that the command names.
func blenderRender(ctx context.Context, j *job, i int, c command) error {
	p, err := parameters[blenderParameters](j, c)
	if err != nil {
		return err
	}
	sub, scripts, err := p.submission()
	if err != nil {
		return err
	}
	if scripts && !j.scriptsInFilesRun(ctx) {
		j.report.printf("the task lets scripts in .blend files run (-y), and the Blender of this worker does not: " +
			"set blender.args = [\"-y\"] in its settings if drivers and scripts of the scene matter\n")
	}
	return j.run(ctx, i, sub)
}

// scriptsInFilesRun reports whether the Blender of the engine lets scripts in .blend files run.
func (j *job) scriptsInFilesRun(ctx context.Context) bool {
	report, err := j.cfg.Engine.Settings(ctx)
	if err != nil {
		return true // nothing is known, so nothing is said
	}
	args, _ := report.Find("blender.args")
	text := strings.Fields(strings.NewReplacer("[", " ", "]", " ", ",", " ", `"`, " ").Replace(args.Text()))
	factory, _ := report.Find("blender.factory_startup")
	return slices.Contains(text, "-y") || slices.Contains(text, "--enable-autoexec") || factory.Value == false
}

// submission returns the run that a command line means, and whether it lets scripts in .blend files run.
// It fails for every argument that it does not know: a render that leaves out what an argument asks for
// would be another render.
func (p blenderParameters) submission() (sub api.Submission, scripts bool, err error) {
	if p.BlendFile == "" {
		return sub, false, errors.New("it names no .blend file; for a script there is the command blendtray-script")
	}
	if !filepath.IsAbs(p.BlendFile) {
		return sub, false, fmt.Errorf("the .blend file %s has no absolute path", p.BlendFile)
	}
	before, err := shlex.Split(p.ExeArgs)
	if err != nil {
		return sub, false, fmt.Errorf("exeArgs: %w", err)
	}
	line := &blenderLine{render: &api.Render{}}
	for _, args := range [][]string{before, p.ArgsBefore} {
		// Before the file, Blender takes no arguments about the scene: opening the file takes them back.
		if err := line.read(args, false); err != nil {
			return sub, false, err
		}
	}
	if err := line.read(p.Args, true); err != nil {
		return sub, false, err
	}
	if !line.renders {
		return sub, false, errors.New("the arguments render nothing: --render-frame or --render-anim is missing")
	}
	return api.Submission{Scene: p.BlendFile, Render: line.render}, line.scripts, nil
}

// blenderLine is what has been read of a command line of Blender.
type blenderLine struct {
	render      *api.Render
	first, last string // of -s and -e
	step        string // of -j
	renders     bool
	scripts     bool
}

// blenderOption is an option of Blender's command line.
type blenderOption struct {
	long string
	// value tells that the option takes a value, and scene that it is about the scene.
	value, scene bool
	take         func(l *blenderLine, value string) error
}

// blenderOptions are the options that a render may have, by their short names.
var blenderOptions = map[string]blenderOption{
	"-b": {long: "--background"},
	"-y": {long: "--enable-autoexec", take: func(l *blenderLine, _ string) error { l.scripts = true; return nil }},
	"-Y": {long: "--disable-autoexec", take: func(l *blenderLine, _ string) error { l.scripts = false; return nil }},
	"-q": {long: "--quiet"},
	"-o": {long: "--render-output", value: true, scene: true, take: func(l *blenderLine, v string) error {
		l.render.Output = v
		return nil
	}},
	"-E": {long: "--engine", value: true, scene: true, take: func(l *blenderLine, v string) error {
		l.render.Engine = v
		return nil
	}},
	"-F": {long: "--render-format", value: true, scene: true, take: func(l *blenderLine, v string) error {
		l.render.Format = v
		return nil
	}},
	"-x": {long: "--use-extension", value: true, scene: true, take: func(_ *blenderLine, v string) error {
		if v != "1" && v != "true" {
			return errors.New("this worker can't leave out the extension of files (--use-extension 0)")
		}
		return nil
	}},
	"-s": {long: "--frame-start", value: true, scene: true, take: func(l *blenderLine, v string) error {
		l.first = v
		return nil
	}},
	"-e": {long: "--frame-end", value: true, scene: true, take: func(l *blenderLine, v string) error {
		l.last = v
		return nil
	}},
	"-j": {long: "--frame-jump", value: true, scene: true, take: func(l *blenderLine, v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < 1 {
			return fmt.Errorf("--frame-jump %s is no step", v)
		}
		l.step = v
		return nil
	}},
	"-f": {long: "--render-frame", value: true, scene: true, take: (*blenderLine).frames},
	"-a": {long: "--render-anim", scene: true, take: func(l *blenderLine, _ string) error { return l.animation() }},
}

// read reads arguments. scene tells that they stand behind the file.
func (l *blenderLine) read(args []string, scene bool) error {
	for len(args) > 0 {
		name := args[0]
		args = args[1:]
		option, ok := blenderOptions[name]
		if !ok {
			for _, o := range blenderOptions {
				if o.long == name {
					option, ok = o, true
				}
			}
		}
		value := ""
		switch {
		case !ok:
			return fmt.Errorf("this worker does not know the argument %s of Blender", name)
		case option.scene && !scene:
			return fmt.Errorf("the argument %s stands before the .blend file, which takes it back", name)
		case option.scene && l.renders:
			return fmt.Errorf("the argument %s stands behind the render that it is for", name)
		case option.value && len(args) == 0:
			return fmt.Errorf("the argument %s has no value", name)
		case option.value:
			value, args = args[0], args[1:]
		}
		if option.take == nil {
			continue
		}
		if err := option.take(l, value); err != nil {
			return err
		}
	}
	return nil
}

// frames takes the frames of -f.
func (l *blenderLine) frames(text string) error {
	frames, err := api.FramesOf(text)
	if err != nil {
		return fmt.Errorf("--render-frame: %w", err)
	}
	if frames.None() {
		return errors.New("--render-frame names no frame")
	}
	l.render.Frames, l.renders = frames, true
	return nil
}

// animation takes -a, with the frames of -s, -e and -j before it.
func (l *blenderLine) animation() error {
	l.renders = true
	if l.first == "" && l.last == "" && l.step == "" {
		return nil
	}
	first, last := l.first, l.last
	if first == "" {
		first = "+0"
	}
	if last == "" {
		last = "-1"
	}
	text := first + ".." + last
	if l.step != "" {
		text += "x" + l.step
	}
	frames, err := api.FramesOf(text)
	if err != nil {
		return fmt.Errorf("the frames of --render-anim: %w", err)
	}
	l.render.Frames = frames
	return nil
}
