//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"blendtray/api"
)

// sceneScript makes a .blend of some 200 MB: 50 meshes of 40,000 vertices.
const sceneScript = `
import sys, bpy
for i in range(50):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=200, y_subdivisions=200, location=(i, 0, 0))
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[-1], compress=False)
`

// makeScene makes the .blend with which the runs of the folder "open" begin.
func makeScene(ctx context.Context, path string) error {
	script := path + ".py"
	if err := os.WriteFile(script, []byte(sceneScript), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "blender", "-b", "--factory-startup", "--python-exit-code", "1", "--python", script, "--", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a scene: %w\n%s", err, out)
	}
	return nil
}

// measureScene compares saves that begin in a large .blend with saves that begin in the factory
// scene.
func (p *program) measureScene(ctx context.Context, times int) error {
	info, err := os.Stat(p.scene())
	if err != nil {
		return err
	}
	open, err := p.measureSaves(ctx, "open", writers[0], times)
	if err != nil {
		return err
	}
	plain, err := p.measureSaves(ctx, "process", writers[0], times)
	if err != nil {
		return err
	}
	ratio := float64(open.quantile(0.5)) / float64(plain.quantile(0.5))
	row(fmt.Sprintf("%d MB to the factory scene, p50", info.Size()>>20), fmt.Sprintf("%.2f times", ratio), ratio > 2, "at most 2 times")
	return nil
}

// measurePreview compares saves that follow a run with a picture with saves that follow a run
// without.
func (p *program) measurePreview(ctx context.Context, times int) error {
	took := map[string]sample{}
	for _, preview := range []string{"off", "cycles"} {
		if _, err := p.client.SetSetting(ctx, "runs.preview", preview); err != nil {
			return err
		}
		var err error
		if took[preview], err = p.measureSaves(ctx, "process", writers[0], times); err != nil {
			return err
		}
	}
	if _, err := p.client.SetSetting(ctx, "runs.preview", "off"); err != nil {
		return err
	}
	ratio := float64(took["cycles"].quantile(0.5)) / float64(took["off"].quantile(0.5))
	row("preview on to off, p50", fmt.Sprintf("%.2f times", ratio), ratio > 1.2, "at most 1.2 times")
	return nil
}

// measureMany writes many scripts at once and counts the runs.
func (p *program) measureMany(ctx context.Context, files int) error {
	begun := time.Now()
	for i := range files {
		path := filepath.Join(p.folder("scene"), fmt.Sprintf("many_%05d.py", i))
		if err := os.WriteFile(path, fmt.Appendf(nil, "result = %d\n", i), 0o600); err != nil {
			return err
		}
	}
	written := time.Since(begun)
	ran := map[string]int{}
	var queued time.Duration
	for range files {
		run, err := p.finished(ctx)
		if err != nil {
			return err
		}
		if run.State != api.Succeeded {
			return fmt.Errorf("%s: %s", run.Script, run.State)
		}
		ran[run.Script]++
		if at := run.QueuedAt.Sub(begun); at > queued {
			queued = at
		}
	}
	for script, times := range ran {
		if times != 1 {
			return fmt.Errorf("%s ran %d times", script, times)
		}
	}
	peak, err := peakMemory(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	row(fmt.Sprintf("%d files, written", files), fmt.Sprintf("%.1f s", written.Seconds()), false, "")
	row("all of them taken", fmt.Sprintf("%.1f s", queued.Seconds()), false, "")
	row("all of them run", fmt.Sprintf("%.1f s", took.Seconds()), false, fmt.Sprintf("%.0f a second", float64(files)/took.Seconds()))
	row("engine, peak memory", fmt.Sprintf("%.1f MB", float64(peak)/(1<<20)), peak > 48<<20, "at most 48 MB")
	return nil
}
