//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"blendtray/api"
)

// measureSubmitters has several clients at a time submit `x = 1` over the control interface and
// follow the run, in a session.
func (p *program) measureSubmitters(ctx context.Context, runs int) error {
	for _, n := range []int{1, 8, 64, 256} {
		before, err := p.used(ctx)
		if err != nil {
			return err
		}
		begun := time.Now()
		took, err := p.submitAll(ctx, n, runs)
		if err != nil {
			return err
		}
		least := 3000.0
		if n == 1 {
			least = 2300
			p50 := took.quantile(0.5)
			row("x = 1 over control, p50", ms(p50), p50 > 400*time.Microsecond, "at most 0.40 ms")
		}
		rate := float64(runs) / time.Since(begun).Seconds()
		row(fmt.Sprintf("%d submitters", n), fmt.Sprintf("%.0f a second", rate), rate < least, fmt.Sprintf("at least %.0f a second", least))
		after, err := p.used(ctx)
		if err != nil {
			return err
		}
		for i, of := range []string{"engine", "Blenders", "clients"} {
			row("  processor time a run, "+of, ms((after[i]-before[i])/time.Duration(runs)), false, "")
		}
	}
	return nil
}

// used returns the processor time that the engine, its Blenders and the clients, which are in the
// bench itself, have taken so far.
func (p *program) used(ctx context.Context) (used [3]time.Duration, err error) {
	status, err := p.client.Status(ctx)
	if err != nil {
		return used, err
	}
	pids := [3][]int{{p.cmd.Process.Pid}, nil, {os.Getpid()}}
	for _, process := range status.Processes {
		pids[1] = append(pids[1], process.PID)
	}
	for i, of := range pids {
		for _, pid := range of {
			took, err := cpuTime(pid)
			if err != nil {
				return used, err
			}
			used[i] += took
		}
	}
	return used, nil
}

// submitAll has n clients submit runs, one after the other each, and returns how long each run took
// its client. It fails unless each run has succeeded.
func (p *program) submitAll(ctx context.Context, n, runs int) (sample, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var clients, listener sync.WaitGroup
	listener.Go(func() { // the ends are told to the bench as well, and would fill its stream
		for range runs {
			if _, err := p.finished(ctx); err != nil {
				fail(err)
				return
			}
		}
	})
	took := make(sample, runs)
	var next atomic.Int64
	for range n {
		clients.Go(func() {
			for i := next.Add(1) - 1; i < int64(runs); i = next.Add(1) - 1 {
				at := time.Now()
				if err := p.submit(ctx); err != nil {
					fail(err)
					return
				}
				took[i] = time.Since(at)
			}
		})
	}
	clients.Wait()
	listener.Wait()
	return took, context.Cause(ctx)
}

// submit has the engine make a run and returns when its end was told.
func (p *program) submit(ctx context.Context) error {
	var last api.Run
	for ev, err := range p.client.SubmitAndFollow(ctx, api.Submission{Code: []byte("x = 1"), Session: "bench"}) {
		if err != nil {
			return err
		}
		if ev.Run != nil {
			last = *ev.Run
		}
	}
	if last.State != api.Succeeded {
		return fmt.Errorf("run %s: %s", last.ID, last.State)
	}
	return nil
}
