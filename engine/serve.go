package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"blendtray/api"
)

// How long each step of ending may take.
const (
	cancelGrace = 3 * time.Second  // for a cancelled run to end by itself
	stopLimit   = 30 * time.Second // for Blender to stop; its own ladder is shorter
	// restartPart is after how long a part that ended by itself is started again.
	restartPart = time.Second
)

// Serve starts Blender and the watcher and does runs until ctx ends. Then it stops watching,
// cancels the run in hand, stops Blender, writes everything down and closes the database;
// queued runs stay queued for the next engine. It may be called once.
func (e *Engine) Serve(ctx context.Context) error {
	e.turn.Lock()
	ready := !e.serving && !e.store.isClosed()
	e.serving = true
	e.turn.Unlock()
	if !ready {
		return fmt.Errorf("serve: %w: it was served or closed already", api.ErrStopping)
	}
	var watching, working, keeping, blenders group
	for _, w := range e.workers {
		blenders.start(func(ctx context.Context) { e.keepUp(ctx, "Blender", w.blender.Serve) })
		w.blender.Start()
		working.start(w.serve)
	}
	keeping.start(e.keep)
	watching.start(func(ctx context.Context) { e.keepUp(ctx, "the watcher", e.watcher.Serve) })

	<-ctx.Done()
	// From here on nothing new comes in: what is saved now is found at the next start.
	e.turn.Lock()
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	e.turn.Unlock()
	watching.cancel()
	working.cancel()
	e.cancelRunning("the engine was stopped")
	working.wait(cancelGrace)
	var errs []error
	if !watching.wait(stopLimit) {
		errs = append(errs, errors.New("the watcher did not end"))
	}
	for _, w := range e.workers {
		limited, done := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		if err := w.blender.Stop(limited); err != nil {
			errs = append(errs, fmt.Errorf("stop Blender: %w", err))
		}
		done()
	}
	blenders.cancel()
	if !blenders.wait(stopLimit) {
		errs = append(errs, errors.New("the supervisor of Blender did not end"))
	}
	if !working.wait(stopLimit) {
		errs = append(errs, errors.New("a run did not end although Blender is stopped; it will be found as interrupted"))
	}
	keeping.cancel()
	keeping.wait(stopLimit)
	return errors.Join(append(errs, e.Close())...)
}

// keepUp serves a part that should not end before ctx does, and begins it again if it does.
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

// cancelRunning asks every running run to end because Blender is being stopped.
func (e *Engine) cancelRunning(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range e.running {
		j.askToEnd(why, true)
	}
}

// StartBlender starts Blender and sends what is queued; it returns when Blender is ready or
// has failed.
func (e *Engine) StartBlender(ctx context.Context) error {
	if err := e.halt(false); err != nil {
		return err
	}
	for _, w := range e.workers {
		w.blender.Start()
	}
	return e.awaitReady(ctx)
}

// StopBlender cancels the run in hand and stops Blender. What is queued stays queued until
// [Engine.StartBlender].
func (e *Engine) StopBlender(ctx context.Context) error {
	if err := e.halt(true); err != nil {
		return err
	}
	e.endRunning(ctx, "Blender was stopped")
	var errs []error
	for _, w := range e.workers {
		errs = append(errs, w.blender.Stop(ctx))
	}
	return errors.Join(errs...)
}

// RestartBlender cancels the run in hand and starts Blender anew; it returns when that one
// is ready or has failed.
func (e *Engine) RestartBlender(ctx context.Context) error {
	if err := e.halt(true); err != nil {
		return err
	}
	e.endRunning(ctx, "Blender was restarted")
	var errs []error
	for _, w := range e.workers {
		errs = append(errs, w.blender.Restart(ctx))
	}
	errs = append(errs, e.halt(false))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return e.awaitReady(ctx)
}

// halt holds back the queue, or lets it go on.
func (e *Engine) halt(halted bool) error {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return api.ErrStopping
	}
	e.halted = halted
	e.wakeWorkers()
	return nil
}

// endRunning cancels what runs and gives it time to end by itself.
func (e *Engine) endRunning(ctx context.Context, why string) {
	sub := e.Subscribe(SubscribeOptions{})
	defer sub.Close()
	e.cancelRunning(why)
	limit := time.NewTimer(cancelGrace)
	defer limit.Stop()
	for {
		e.mu.Lock()
		n := len(e.running)
		e.mu.Unlock()
		if n == 0 {
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

func (e *Engine) awaitReady(ctx context.Context) error {
	var errs []error
	for _, w := range e.workers {
		errs = append(errs, w.blender.Ready(ctx))
	}
	return errors.Join(errs...)
}

// group is goroutines that end together.
type group struct {
	cancels []context.CancelFunc
	running sync.WaitGroup
}

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

// wait waits for all of them, limit at most, and tells whether they ended.
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
