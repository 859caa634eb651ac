package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/engine"
)

// openBlender is a Blender with a window that takes scripts. Its add-on writes these fields to a
// file, and chose their names.
type openBlender struct {
	PID     int     `json:"pid"`
	Port    int     `json:"port"`
	Token   string  `json:"token"`
	Blender string  `json:"blender"`
	Program string  `json:"program"`
	Started float64 `json:"started"`
	// Ticks is when the process was started, on Linux: the number that /proc has.
	Ticks uint64 `json:"ticks"`

	file string
}

// openBlenders returns the Blenders that answer, newest first. It removes the files of Blenders
// that do not answer any more.
func openBlenders(ctx context.Context, paths home.Paths) ([]openBlender, error) {
	files, err := home.Entries(paths.OpenBlenders(), ".json")
	if err != nil {
		return nil, err
	}
	var all []openBlender
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || home.OpenToOthers(file) {
			continue // the file has just disappeared, or the add-on did not write it
		}
		b := openBlender{file: file}
		if json.Unmarshal(text, &b) != nil || b.Port <= 0 || b.Token == "" {
			continue
		}
		if !blender.IsProcess(b.PID, b.Ticks, time.UnixMilli(int64(1000*b.Started))) {
			_ = os.Remove(file) // the Blender crashed, and could not remove its file
			continue
		}
		session, err := blender.Dial(ctx, b.address(), b.Token)
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				_ = os.Remove(file) // the Blender crashed, and could not remove its file
			}
			continue
		}
		pid := session.Welcome.PID
		_ = session.Close() // nothing was asked
		if pid != b.PID {
			continue
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b openBlender) int { return cmp.Compare(b.Started, a.Started) })
	return all, nil
}

// findOpen returns the Blender with a window that has the process id pid or, when pid is 0, the
// Blender that was the last to say that it takes scripts. It fails when there is no such
// Blender.
func findOpen(ctx context.Context, paths home.Paths, pid int) (blender.Open, error) {
	all, err := openBlenders(ctx, paths)
	if err != nil {
		return blender.Open{}, err
	}
	if pid != 0 {
		all = slices.DeleteFunc(all, func(b openBlender) bool { return b.PID != pid })
	}
	switch {
	case len(all) == 0 && pid != 0:
		return blender.Open{}, fmt.Errorf("the Blender of process %d does not take scripts any more", pid)
	case len(all) == 0:
		return blender.Open{}, errors.New("it waits for a Blender with a window that takes scripts: " + howToServe)
	}
	return blender.Open{Addr: all[0].address(), Token: all[0].Token, Path: all[0].Program}, nil
}

// howToServe tells a person how to have a Blender take scripts.
const howToServe = "in Blender: Preferences, Add-ons, TCP Echo, Start Serving Scripts; `blendtray addon install` installs it"

func (b openBlender) address() string { return fmt.Sprintf("127.0.0.1:%d", b.Port) }

// chooseOpen returns the Blender with a window that has the process id pid or, when pid is 0,
// the only such Blender. It fails when there is no such Blender, or several.
func chooseOpen(ctx context.Context, paths home.Paths, pid int) (openBlender, error) {
	all, err := openBlenders(ctx, paths)
	if err != nil {
		return openBlender{}, err
	}
	if pid != 0 {
		all = slices.DeleteFunc(all, func(b openBlender) bool { return b.PID != pid })
	}
	switch {
	case len(all) == 0 && pid != 0:
		return openBlender{}, fault.New(fault.NoEngine, "leave --pid out where only one Blender takes scripts", "no Blender with a window serves as process %d", pid)
	case len(all) == 0:
		return openBlender{}, fault.New(fault.NoEngine, howToServe, "no Blender with a window takes scripts")
	case len(all) > 1:
		var ids []string
		for _, b := range all {
			ids = append(ids, fmt.Sprintf("%d (Blender %s)", b.PID, b.Blender))
		}
		return openBlender{}, fault.New(fault.Usage, fmt.Sprintf("choose one of them, such as --pid %d", all[0].PID),
			"%d Blenders with a window take scripts: %s", len(all), strings.Join(ids, ", "))
	}
	return all[0], nil
}

// attach runs a script in a Blender with a window. The engine executes the run like any other
// run; when no engine runs, this process executes the run and writes it into the history.
func (c *runCmd) attach(e *env, sub api.Submission) error {
	if sub.Scene != "keep" {
		return fault.New(fault.Usage, "leave --scene out: the script finds what is open there", "--scene %s would throw away what is open in that Blender", c.Scene)
	}
	paths, err := home.Find()
	if err != nil {
		return err
	}
	target, err := chooseOpen(e, paths, c.PID)
	if err != nil {
		return err
	}
	sub.Attach, sub.PID = true, target.PID
	client, err := e.client()
	if err != nil {
		return err
	}
	err = c.follow(e, client, sub)
	if errors.Is(err, control.ErrNoEngine) {
		return c.direct(e, paths, sub)
	}
	return err
}

// direct executes a run in an open Blender from this process and shows the run.
func (c *runCmd) direct(e *env, paths home.Paths, sub api.Submission) error {
	ctx, cancel := e.untilSignal()
	defer cancel(nil)
	loaded, err := homeSource(paths).Load()
	if err != nil {
		return wrongSettings(err)
	}
	spec := api.BlenderSpec{Name: "open", PID: sub.PID, BlenderSettings: api.BlenderSettings{
		Attach: true, CancelGrace: loaded.Blender.CancelGrace,
	}}
	b := newAttached(paths, spec, nil, nil)
	defer serving(e, b.Serve)()
	sink := &directOutput{env: e, quiet: c.JSON}
	run, err := engine.Direct{Blender: b, Runs: loaded.Runs, Sink: sink}.Run(ctx, sub)
	e.done()
	if err != nil {
		return fault.New(fault.NoEngine, howToServe, "nothing was executed: %w", err)
	}
	if kept, err := record(paths, run, sub.Code); err != nil {
		e.warn("the run is not in the history: %v", err)
	} else {
		run = kept
	}
	return c.ended(e, run)
}

// untilSignal returns a context that ends with the first signal to end; the second one ends the program.
// The caller calls the function when its run has ended.
func (e *env) untilSignal() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(e)
	go func() {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		e.note("cancelling the run (Ctrl-C again leaves at once)")
		cancel(errors.New("cancelled on request"))
		<-signals
		os.Exit(fault.Cancelled)
	}()
	return ctx, cancel
}

// serving has a Blender served, by a function that returns nil, and returns a function that ends the
// serving and returns when it has ended.
func serving(ctx context.Context, serve func(context.Context) error) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = serve(ctx)
	}()
	return func() {
		stop()
		<-served
	}
}

// record writes a run into the history while no engine has the history open, and returns the run
// with its id.
func record(paths home.Paths, run api.Run, code []byte) (api.Run, error) {
	if err := paths.Make(); err != nil {
		return run, err
	}
	address, err := control.Address(paths.Runtime)
	if err != nil {
		return run, err
	}
	lock, err := home.LockEngine(paths, address)
	if err != nil {
		return run, engineRuns(err)
	}
	defer lock.Unlock()
	return engine.Record(paths.Database(), run, code)
}

// directOutput shows what a run does that this process executes.
type directOutput struct {
	*env
	quiet bool
}

// Started shows nothing.
func (directOutput) Started(time.Time) {}

// Output shows what the run prints.
func (d *directOutput) Output(p []byte) {
	if !d.quiet {
		d.writeOut(string(p))
	}
}

// Progress shows the progress of the run.
func (d *directOutput) Progress(p api.Progress) {
	if !d.quiet {
		d.progress(p)
	}
}
