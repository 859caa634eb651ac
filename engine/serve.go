package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

// These times limit the steps of ending.
const (
	cancelGrace = 3 * time.Second  // for a cancelled run to end by itself
	stopLimit   = 30 * time.Second // for Blender to stop; the Blender's own limits are shorter
	// restartPart is the wait before a part that ended by itself is started again.
	restartPart = time.Second
)

// Serve starts the Blenders and the watcher and executes runs until ctx ends. Then it lets
// the current runs end or queues them again, as the settings say, stops the Blenders, stops
// watching, writes everything down and closes the database; queued runs stay queued for the next
// engine. Serve may be called once.
func (e *Engine) Serve(ctx context.Context) error {
	e.turn.Lock()
	ready := !e.serving && !e.store.isClosed()
	e.serving = true
	if !ready {
		e.turn.Unlock()
		return fmt.Errorf("serve: %w: it was served or closed already", api.ErrStopping)
	}
	var watching, keeping group
	for _, w := range e.allWorkers() {
		e.working.start(w.serve)
	}
	e.turn.Unlock()
	keeping.start(e.keep)
	keeping.start(e.arrangeBlenders)
	keeping.start(e.keepUsage)
	if e.cfg.Claim != nil {
		keeping.start(e.keepClaims)
	}
	watching.start(func(ctx context.Context) { e.keepUp(ctx, "the watcher", e.watcher.Serve) })
	watching.start(e.keepHelpers)

	<-ctx.Done()
	// From here on no new run comes in: the next start finds what is saved now. The watcher goes on
	// until the runs have ended, or what a script saves itself would count as a person's save then.
	e.turn.Lock()
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	e.turn.Unlock()
	e.working.cancel()
	workers := e.allWorkers()
	e.endForStop(workers)
	e.working.wait(cancelGrace)
	errs := e.stopWorkers(context.WithoutCancel(ctx), workers)
	if !e.working.wait(stopLimit) {
		errs = append(errs, errors.New("a run did not end although Blender is stopped; it will be found as interrupted"))
	}
	watching.cancel()
	if !watching.wait(stopLimit) {
		errs = append(errs, errors.New("the watcher did not end"))
	}
	keeping.cancel()
	keeping.wait(stopLimit)
	return errors.Join(append(errs, e.Close())...)
}

// endForStop ends the current runs because the engine is being stopped: it waits for their end, as
// long as the settings say, or has them queued again.
func (e *Engine) endForStop(workers []*worker) {
	runs := e.runSettings()
	limit := time.Duration(runs.StopTimeout)
	why := "the engine was stopped"
	e.leaveFarmRuns(why)
	if runs.OnStop == api.OnStopWait {
		if e.awaitRunning(workers, limit) {
			return
		}
		why = fmt.Sprintf("the engine was stopped, and it had not ended %s later", runs.StopTimeout)
	}
	e.mu.Lock()
	for _, j := range e.running {
		j.requeue = runs.OnStop == api.OnStopRequeue && !j.run.InOpenBlender()
	}
	e.mu.Unlock()
	e.cancelRunning(workers, why)
}

// awaitRunning waits until no worker executes a run, for limit at most unless it is 0, and reports
// whether that is so. It says what it waits for.
func (e *Engine) awaitRunning(workers []*worker, limit time.Duration) bool {
	sub := e.Subscribe(SubscribeOptions{})
	defer sub.Close()
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	for said := false; ; {
		var waits []string
		e.mu.Lock()
		for _, j := range e.running {
			if slices.Contains(workers, j.worker) && j.why == "" {
				waits = append(waits, fmt.Sprintf("run %s (%s)", j.run.ID, filepath.Base(j.run.Script)))
			}
		}
		e.mu.Unlock()
		if len(waits) == 0 {
			return true
		}
		if !said {
			said = true
			slices.Sort(waits)
			verb := "has"
			if len(waits) > 1 {
				verb = "have"
			}
			e.note(fmt.Sprintf("the engine ends when %s %s ended, or after %s; \"blendtray cancel\" ends a run",
				strings.Join(waits, ", "), verb, api.Duration(limit)))
		}
		select {
		case <-sub.Events():
		case <-over:
			return false
		}
	}
}

// stopWorkers stops all Blenders at the same time, ends their serving and returns the errors.
func (e *Engine) stopWorkers(ctx context.Context, workers []*worker) []error {
	ctx, done := context.WithTimeout(ctx, stopLimit)
	defer done()
	errs := make([]error, len(workers))
	var stopping sync.WaitGroup
	for i, w := range workers {
		stopping.Go(func() {
			if err := w.stop(ctx); err != nil {
				errs[i] = fmt.Errorf("stop Blender: %w", err)
			}
			if !w.leave(stopLimit) {
				errs[i] = errors.Join(errs[i], errors.New("the supervisor of Blender did not end"))
			}
		})
	}
	stopping.Wait()
	return errs
}

// keepUp serves a part until ctx ends, and serves it again when it ended before.
func (e *Engine) keepUp(ctx context.Context, name string, serve func(context.Context) error) {
	for {
		err := serve(ctx)
		if ctx.Err() != nil {
			return
		}
		e.warn(fmt.Sprintf("%s ended by itself and is started again: %v", name, err))
		pause(ctx, restartPart)
	}
}

// cancelRunning asks every current run of some workers to end because Blender is being stopped.
func (e *Engine) cancelRunning(workers []*worker, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range e.running {
		if slices.Contains(workers, j.worker) {
			if j.run.Session != "" {
				j.askToEndLocked(why+", and the scene of its session is gone", true)
				continue
			}
			j.askToEndLocked(why, true)
		}
	}
}

// endRunning cancels the current runs of some workers and gives them time to end by themselves.
func (e *Engine) endRunning(ctx context.Context, workers []*worker, why string) {
	sub := e.Subscribe(SubscribeOptions{})
	defer sub.Close()
	e.cancelRunning(workers, why)
	limit := time.NewTimer(cancelGrace)
	defer limit.Stop()
	for {
		busy := false
		e.mu.Lock()
		for _, j := range e.running {
			busy = busy || slices.Contains(workers, j.worker)
		}
		e.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-sub.Events():
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// group holds goroutines that end together.
type group struct {
	cancels []context.CancelFunc
	running sync.WaitGroup
}

// start runs fn, which ends when the group is cancelled.
func (g *group) start(fn func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancels = append(g.cancels, cancel)
	g.running.Go(func() { fn(ctx) })
}

func (g *group) cancel() {
	for _, c := range g.cancels {
		c()
	}
}

// wait waits for all goroutines, limit at most, and reports whether they ended.
func (g *group) wait(limit time.Duration) bool {
	done := make(chan struct{})
	go func() { g.running.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
