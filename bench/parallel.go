//go:build linux

package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"blendtray/api"
)

// parallelKey is the setting that says how many runs go on at the same time.
const parallelKey = "runs.parallel"

// renders is a script that renders on all cores for about a second.
const renders = `import bpy
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = "CYCLES", 64
scene.cycles.use_denoising = False # which Debian's Blender lacks
scene.render.resolution_x, scene.render.resolution_y = 480, 270
bpy.ops.render.render()`

// measureParallel has as many runs go on at the same time as there are cores: runs that wait for a
// second, and runs that render, which share the cores.
func (p *program) measureParallel(ctx context.Context) error {
	cores := runtime.NumCPU()
	if _, err := p.client.SetSetting(ctx, parallelKey, "auto"); err != nil {
		return err
	}
	took, err := p.atOnce(ctx, "import time; time.sleep(1)", cores)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d runs of a second on %d cores", cores, cores), ms(took), took > 1150*time.Millisecond, "at most 1150 ms")
	alone, err := p.atOnce(ctx, renders, 1)
	if err != nil {
		return err
	}
	beside, err := p.atOnce(ctx, renders, cores)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d renders, against one alone", cores), fmt.Sprintf("%.2f times", beside.Seconds()/alone.Seconds()), false,
		fmt.Sprintf("%d were they executed in turn", cores))
	_, err = p.client.UnsetSetting(ctx, parallelKey)
	return err
}

// atOnce has a script run several times at the same time, when a Blender waits for each run, and
// returns how long all took together.
func (p *program) atOnce(ctx context.Context, script string, times int) (time.Duration, error) {
	if err := p.awaitSoMany(ctx, times); err != nil {
		return 0, err
	}
	at := time.Now()
	for i := range times {
		if _, err := p.client.Submit(ctx, api.Submission{
			Code: []byte(script), Name: fmt.Sprintf("<run %d>", i), Scene: "fresh", Isolation: api.IsolateProcess,
		}); err != nil {
			return 0, err
		}
	}
	for range times {
		run, err := p.finished(ctx)
		if err != nil {
			return 0, err
		}
		if run.State != api.Succeeded {
			return 0, fmt.Errorf("a run beside others has %s: %+v", run.State, run.Error)
		}
	}
	return time.Since(at), nil
}

// awaitSoMany waits until so many Blenders wait in which nothing has run.
func (p *program) awaitSoMany(ctx context.Context, many int) error {
	for {
		status, err := p.client.Status(ctx)
		if err != nil || len(status.Blenders) > 0 && status.Blenders[0].Waiting >= many {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond): // between two looks
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
