//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
)

// filmFrames is how many frames [film] renders, several a second: more than the pictures that clients are
// told of.
const filmFrames = 12

// film is a script that renders frames into files of a format, and returns what that took: the processor
// time of all threads of its Blender, the time by the clock, and the processor time of the render's own
// thread in which the add-on told the engine of pictures. Where its last argument is "off", the add-on tells
// the engine of none.
const film = `
import sys, time
import bpy
from tcp_echo.outputs import collector

folder, kind, told = sys.argv[-3:]
scene = bpy.context.scene
bpy.ops.mesh.primitive_monkey_add(location=(0, 0, 2))
bpy.context.object.modifiers.new("smooth", "SUBSURF").render_levels = 3
render = scene.render
render.engine, scene.cycles.samples = "CYCLES", 8
scene.cycles.use_denoising = False # which Debian's Blender lacks
render.resolution_x, render.resolution_y, render.resolution_percentage = 480, 270, 100
render.image_settings.file_format = kind
render.filepath = folder + "/"
scene.frame_start, scene.frame_end = 1, FRAMES
tell, telling = collector.tell_picture, 0.0


def timed(path):
    global telling
    began = time.thread_time()
    tell(path)
    telling += time.thread_time() - began


collector.tell_picture = timed if told == "on" else None
try:
    clock, cpu = time.perf_counter(), time.process_time()
    bpy.ops.render.render(animation=True)
    result = {"cpu": time.process_time() - cpu, "clock": time.perf_counter() - clock, "telling": telling}
finally:
    collector.tell_picture = tell
`

// filmed is what the frames of a film took, in seconds.
type filmed struct {
	CPU   float64 // all threads of the Blender that rendered
	Clock float64
	// Telling is the processor time in which the render's own thread told the engine of pictures.
	Telling float64
	// Beside is the processor time of the engine and of the Blender that makes thumbnails.
	Beside float64 `json:"-"`
}

// measurePictures renders the same frames with the pictures that clients see while a render goes on and
// without them, in turn. The processor time of the Blender that renders is what a busy machine changes
// least. Ratios are of a render to the render right before or after it, and their median counts.
func (p *program) measurePictures(ctx context.Context, times int) error {
	for _, kind := range []string{"PNG", "OPEN_EXR"} {
		if _, err := p.film(ctx, kind, true); err != nil { // the first frames make caches
			return err
		}
		var cpu, clock, telling, beside []float64
		for i := range times {
			took := map[bool]filmed{}
			for _, told := range []bool{i%2 == 0, i%2 != 0} {
				var err error
				if took[told], err = p.film(ctx, kind, told); err != nil {
					return err
				}
			}
			cpu = append(cpu, took[true].CPU/took[false].CPU)
			clock = append(clock, took[true].Clock/took[false].Clock)
			telling = append(telling, took[true].Telling/took[true].CPU)
			beside = append(beside, (took[true].Beside-took[false].Beside)/took[false].CPU)
		}
		row(kind+": Blender's processor time", fmt.Sprintf("%.3f times", median(cpu)), median(cpu) > 1.02, "at most 1.02 times")
		row(kind+": the time by the clock", fmt.Sprintf("%.3f times", median(clock)), median(clock) > 1.02, "at most 1.02 times")
		row(kind+": to tell of pictures", fmt.Sprintf("%.5f", median(telling)), median(telling) > 0.02, "of the render's processor time")
		row(kind+": engine and thumbnails beside", fmt.Sprintf("%.3f", median(beside)), false, "of the render's processor time")
	}
	return nil
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// film has the engine render a film, and returns what that took. It fails unless clients were told of
// pictures exactly when they should be.
func (p *program) film(ctx context.Context, kind string, told bool) (filmed, error) {
	folder := filepath.Join(p.dir, "film")
	defer os.RemoveAll(folder)
	before, err := timeBeside(p.cmd.Process.Pid)
	if err != nil {
		return filmed{}, err
	}
	word := "on"
	if !told {
		word = "off"
	}
	if _, err := p.client.Submit(ctx, api.Submission{
		Code: []byte(strings.ReplaceAll(film, "FRAMES", strconv.Itoa(filmFrames))), Name: "<film>",
		Args: []string{folder, kind, word}, Scene: "fresh", Isolation: api.IsolateScene,
	}); err != nil {
		return filmed{}, err
	}
	run, pictures, err := p.seen(ctx)
	if err != nil {
		return filmed{}, err
	}
	if run.State != api.Succeeded || len(run.Outputs) != filmFrames {
		return filmed{}, fmt.Errorf("a render of %d frames has %s with %d files: %+v", filmFrames, run.State, len(run.Outputs), run.Error)
	}
	if told != (pictures > 0) {
		return filmed{}, fmt.Errorf("with pictures %s, clients saw %d", word, pictures)
	}
	var took filmed
	if err := json.Unmarshal(run.Result, &took); err != nil {
		return filmed{}, fmt.Errorf("read the result %s: %w", run.Result, err)
	}
	after, err := timeBeside(p.cmd.Process.Pid)
	took.Beside = (after - before).Seconds()
	return took, err
}

// seen waits for the end of the next run and returns the run, and of how many of its pictures clients were
// told meanwhile.
func (p *program) seen(ctx context.Context) (run api.Run, pictures int, err error) {
	for {
		select {
		case <-ctx.Done():
			return api.Run{}, 0, ctx.Err()
		case <-time.After(time.Minute):
			return api.Run{}, 0, fmt.Errorf("no event within a minute")
		case ev, ok := <-p.events:
			switch {
			case !ok:
				return api.Run{}, 0, fmt.Errorf("the event stream has ended")
			case ev.Kind == api.KindPreview && ev.Live:
				pictures++
			case ev.Kind == api.KindRun && ev.Run.State.Final():
				return *ev.Run, pictures, nil
			}
		}
	}
}

// timeBeside returns the processor time that an engine and the Blender that makes thumbnails have
// taken so far.
func timeBeside(engine int) (time.Duration, error) {
	sum, err := cpuTime(engine)
	if err != nil {
		return 0, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", engine))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended since
		}
		for _, child := range strings.Fields(string(children)) {
			command, err := os.ReadFile("/proc/" + child + "/cmdline")
			pid, bad := strconv.Atoi(child)
			if err != nil || bad != nil || !strings.Contains(string(command), "thumbnails.py") {
				continue
			}
			if took, err := cpuTime(pid); err == nil {
				sum += took
			}
		}
	}
	return sum, nil
}
