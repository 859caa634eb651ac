//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"blendtray/api"
)

// slow is from which time between its save and its first line on a run has waited for a start.
const slow = 50 * time.Millisecond

// measurePace saves a script once a second and counts the runs that waited for their Blender.
func (p *program) measurePace(ctx context.Context, times int) error {
	path := filepath.Join(p.folder("process"), "script.py")
	if err := p.awaitWaiting(ctx); err != nil {
		return err
	}
	before, err := childTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	waited := 0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range times {
		p.number++
		at, err := saveByRename(path, script(p.number))
		if err != nil {
			return err
		}
		run, err := p.finished(ctx)
		if err != nil {
			return err
		}
		got, err := answerOf(run)
		if err != nil {
			return err
		}
		if time.Duration(got.firstLine-at) > slow {
			waited++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	after, err := childTime(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("of %d saves waited for a start", times), fmt.Sprint(waited), waited > times/20, fmt.Sprintf("at most %d", times/20))
	row("processor time a run, start included", ms((after-before)/time.Duration(times)), false, "")
	return nil
}

// measureBurst submits many small runs at once and counts how many end in a second, beside what
// the cores would do with nothing but cold starts.
func (p *program) measureBurst(ctx context.Context) error {
	for _, kind := range []struct {
		isolation api.Isolation
		runs      int
	}{{api.IsolateScene, 300}, {api.IsolateProcess, 30}} {
		at := time.Now()
		for i := range kind.runs {
			if _, err := p.client.Submit(ctx, api.Submission{Code: fmt.Appendf(nil, "x = %d", i), Name: "<bench>", Scene: "fresh", Isolation: kind.isolation}); err != nil {
				return err
			}
		}
		for range kind.runs {
			if run, err := p.finished(ctx); err != nil || run.State != api.Succeeded {
				return fmt.Errorf("a run of a burst: %s, %w", run.State, err)
			}
		}
		rate := float64(kind.runs) / time.Since(at).Seconds()
		if kind.isolation == api.IsolateScene {
			row("isolation scene", fmt.Sprintf("%.0f a second", rate), rate < 150, "at least 150 a second")
			continue
		}
		cold, err := p.coldTime(ctx)
		if err != nil {
			return err
		}
		most := float64(runtime.NumCPU()) / cold.Seconds()
		row("isolation process", fmt.Sprintf("%.1f a second", rate), rate < 0.8*most, fmt.Sprintf("at least 0.8 of %.1f", most))
	}
	return nil
}

// coldTime returns how much processor time a cold start of Blender takes.
func (p *program) coldTime(ctx context.Context) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, p.blender.Path, "-b", "--factory-startup", "--python-expr", "pass")
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("a cold Blender: %w", err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// measureCrash times the beginning of the run that waits while another one crashes Blender, from
// the verdict on.
func (p *program) measureCrash(ctx context.Context, times int) error {
	var took sample
	for range times {
		if err := p.awaitWaiting(ctx); err != nil {
			return err
		}
		// It crashes when the next run has its Blender.
		crash := api.Submission{Code: []byte("import os, time; time.sleep(3); os.kill(os.getpid(), 11)"), Name: "<crash>", Scene: "fresh"}
		if _, err := p.client.Submit(ctx, crash); err != nil {
			return err
		}
		if _, err := p.client.Submit(ctx, api.Submission{Code: []byte("x = 1"), Name: "<next>", Scene: "fresh"}); err != nil {
			return err
		}
		crashed, err := p.finished(ctx)
		if err != nil {
			return err
		}
		next, err := p.finished(ctx)
		if err != nil {
			return err
		}
		if crashed.State != api.Crashed || next.State != api.Succeeded || next.StartedAt == nil {
			return fmt.Errorf("after a crash: %s, then %s", crashed.State, next.State)
		}
		took = append(took, max(0, next.StartedAt.Sub(*crashed.FinishedAt)))
	}
	timed("verdict to the next run", took, slow, 0)
	return nil
}
