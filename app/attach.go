package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// openBlender is a Blender with a window that takes scripts: the file in which its add-on says
// so. The names are the add-on's.
type openBlender struct {
	PID     int     `json:"pid"`
	Port    int     `json:"port"`
	Token   string  `json:"token"`
	Blender string  `json:"blender"`
	Program string  `json:"program"`
	Started float64 `json:"started"`

	file string
}

// windowsFolder is where Blenders with a window say how they are to be reached.
func windowsFolder(paths Paths) string { return filepath.Join(paths.Data, "windows") }

// openBlenders are those that answer, newest first. The files of those that do not any more are
// removed.
func openBlenders(ctx context.Context, paths Paths) ([]openBlender, error) {
	files, err := filepath.Glob(filepath.Join(windowsFolder(paths), "*.json"))
	if err != nil {
		return nil, err
	}
	var all []openBlender
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || openToOthers(file) {
			continue // gone a moment ago, or not written by the add-on
		}
		b := openBlender{file: file}
		if json.Unmarshal(text, &b) != nil || b.Port <= 0 || b.Token == "" {
			continue
		}
		session, err := blender.Dial(ctx, b.address(), b.Token)
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				_ = os.Remove(file) // it crashed, and could not do it
			}
			continue
		}
		b.PID = session.Welcome.PID
		_ = session.Close() // nothing was asked
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b openBlender) int { return cmp.Compare(b.Started, a.Started) })
	return all, nil
}

// newestOpen is the Blender with a window that was the last to say that it takes scripts.
func newestOpen(ctx context.Context, paths Paths) (blender.Open, error) {
	all, err := openBlenders(ctx, paths)
	if err != nil {
		return blender.Open{}, err
	}
	if len(all) == 0 {
		return blender.Open{}, errors.New("it waits for a Blender with a window that takes scripts: " + howToServe)
	}
	return blender.Open{Addr: all[0].address(), Token: all[0].Token, Path: all[0].Program}, nil
}

// howToServe is what a person does so that there is one.
const howToServe = "in Blender: Preferences, Add-ons, TCP Echo, Start Serving Scripts; `blendtray addon install` installs it"

func (b openBlender) address() string { return fmt.Sprintf("127.0.0.1:%d", b.Port) }

// chooseOpen is the Blender that is meant: the one with the process id pid or, when that is 0,
// the only one.
func chooseOpen(ctx context.Context, paths Paths, pid int) (openBlender, error) {
	all, err := openBlenders(ctx, paths)
	if err != nil {
		return openBlender{}, err
	}
	if pid != 0 {
		all = slices.DeleteFunc(all, func(b openBlender) bool { return b.PID != pid })
	}
	switch {
	case len(all) == 0 && pid != 0:
		return openBlender{}, fail(exitNoEngine, "without --pid the only one is taken", "no Blender with a window serves as process %d", pid)
	case len(all) == 0:
		return openBlender{}, fail(exitNoEngine, howToServe, "no Blender with a window takes scripts")
	case len(all) > 1:
		var ids []string
		for _, b := range all {
			ids = append(ids, fmt.Sprintf("%d (Blender %s)", b.PID, b.Blender))
		}
		return openBlender{}, fail(exitUsage, fmt.Sprintf("say which one: --pid %d", all[0].PID),
			"%d Blenders with a window take scripts: %s", len(all), strings.Join(ids, ", "))
	}
	return all[0], nil
}

// attach runs a script in a Blender with a window and shows it as it would be shown of the
// supervised one.
func (c *runCmd) attach(e *env, sub api.Submission) error {
	if sub.Scene != "keep" {
		return fail(exitUsage, "leave --scene out: the script finds what is open there", "--scene %s would throw away what is open in that Blender", c.Scene)
	}
	paths, err := FindPaths()
	if err != nil {
		return err
	}
	target, err := chooseOpen(e, paths, c.PID)
	if err != nil {
		return err
	}
	a := &attached{env: e, quiet: c.JSON}
	run, err := a.run(target, sub)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := e.printJSON(run); err != nil {
			return err
		}
		return exitAs(run.State)
	}
	e.summary(run)
	return e.verdict(run)
}

// attached is a run in a Blender with a window.
type attached struct {
	*env
	quiet bool

	mu   sync.Mutex
	text strings.Builder
}

func (a *attached) output(_, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.quiet {
		a.text.WriteString(text)
		return
	}
	a.writeOut(text)
}

func (a *attached) run(target openBlender, sub api.Submission) (api.Run, error) {
	now := time.Now().UTC()
	run := api.Run{
		Script: sub.Script, Scene: sub.Scene, Args: sub.Args, QueuedAt: now, Source: "command",
		BlenderVersion: target.Blender, TimeLimitSeconds: max(0, sub.TimeLimitSeconds), Outputs: []string{},
	}
	if run.Script == "" {
		run.Script = sub.Name
	}
	session, err := blender.DialForOutput(a, target.address(), target.Token, a.output)
	if err != nil {
		return run, fail(exitNoEngine, "", "that Blender (process %d) does not answer any more: %w", target.PID, err)
	}
	defer session.Close()
	started := make(chan time.Time, 1)
	call, err := session.Run(blender.Request{
		ID: "attached", Code: sub.Code, File: sub.Script, Name: sub.Name, Dir: sub.Dir, Args: sub.Args, Scene: "keep",
	}, func(at time.Time) { started <- at }, func(p api.Progress) {
		if !a.quiet {
			a.progress(p)
		}
	})
	if err != nil {
		return run, err
	}
	defer a.done()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	var limit <-chan time.Time
	timedOut, asked := false, false
	for ended := false; !ended; {
		select {
		case at := <-started:
			at = at.UTC()
			run.StartedAt = &at
			if run.TimeLimitSeconds > 0 {
				limit = time.After(time.Duration(run.TimeLimitSeconds * float64(time.Second)))
			}
		case <-limit:
			timedOut = true
			_ = call.Cancel("timeout") // a session that is gone shows below
		case <-signals:
			if asked {
				os.Exit(exitCancelled)
			}
			asked = true
			a.note("cancelling the run (Ctrl-C again leaves at once)")
			_ = call.Cancel("cancelled")
		case <-call.Done():
			ended = true
		}
	}
	finished, err := call.Result()
	end := time.Now().UTC()
	run.FinishedAt = &end
	if err != nil {
		return run, fail(exitCrashed, "its terminal may say why", "that Blender went away while %s ran", nameOf(run))
	}
	run.State, run.Seconds, run.Error = api.State(finished.State), finished.Seconds, finished.Error
	run.Result = finished.Result
	if finished.Outputs != nil {
		run.Outputs = finished.Outputs
	}
	if timedOut && run.State == api.Cancelled {
		run.State = api.TimedOut
	}
	a.mu.Lock()
	run.Output, run.OutputBytes = a.text.String(), int64(a.text.Len())
	a.mu.Unlock()
	return run, nil
}
