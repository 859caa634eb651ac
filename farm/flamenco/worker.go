package flamenco

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"blendtray/api"
)

// Serve works for the manager until ctx ends, and then hands back the task at hand and signs off. It
// returns nil after that, and when the manager has sent the worker offline. While the manager does not
// answer, the worker asks again and again. Serve fails when no manager of Flamenco is there, when the
// manager refuses the worker, and when the credentials can't be kept.
func (w *Worker) Serve(ctx context.Context) error {
	sending, stop := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		w.pictures.serve(sending)
	}()
	defer func() {
		stop()
		<-sent
	}()
	for wait := w.backOff(); ; {
		err := w.serveOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, errAgain):
			return err
		}
		_ = wait.wait(ctx) // the end of ctx shows above
	}
}

// serveOnce signs on and works until the worker is offline or has to sign on again.
func (w *Worker) serveOnce(ctx context.Context) error {
	wanted, err := w.arrive(ctx)
	if err != nil {
		return err
	}
	defer w.leave(ctx)
	if err := w.takeTags(ctx); err != nil {
		return err
	}
	for {
		switch wanted {
		case awake:
			wanted, err = w.work(ctx)
		case offline:
			w.cfg.Tell("the manager sends the worker offline")
			return nil
		case restart:
			w.cfg.Tell("the manager wants a new start: the worker signs on again")
			return errAgain
		default: // asleep, and what later versions may have
			wanted, err = w.sleep(ctx, wanted)
		}
		if err != nil {
			return err
		}
	}
}

// leave signs off, so that the manager gives the task at hand to another worker.
func (w *Worker) leave(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.pauses.farewell)
	defer stop()
	if err := w.manager.signOff(ctx); err != nil && !unknown(err) {
		w.cfg.Tell(fmt.Sprintf("signed off, and the manager does not know: %v", err))
		return
	}
	w.cfg.Tell("signed off")
}

// arrive registers the worker where the manager does not know it, signs on, and returns the status that
// the manager wants. It waits for a manager that does not answer.
func (w *Worker) arrive(ctx context.Context) (status, error) {
	known, err := w.known()
	if err != nil {
		return "", err
	}
	told, wait := "", w.backOff()
	for fresh := false; ; {
		wanted, err := w.tryToArrive(ctx, &known, &fresh)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err == nil:
			return wanted, nil
		case !errors.Is(err, errBusy):
			return "", err
		}
		if told != err.Error() {
			told = err.Error()
			w.cfg.Tell(fmt.Sprintf("the manager at %s does not answer yet: %v", w.cfg.Manager, errors.Unwrap(err)))
		}
		if err := wait.wait(ctx); err != nil {
			return "", err
		}
	}
}

// busyError is the failure of a manager that may answer later.
type busyError struct{ err error }

var errBusy = errors.New("the manager does not answer")

func (e *busyError) Error() string        { return e.err.Error() }
func (e *busyError) Unwrap() error        { return e.err }
func (e *busyError) Is(target error) bool { return target == errBusy }

// later returns an error as [errBusy] when it may go away by itself, and otherwise as it is.
func later(err error) error {
	if err != nil && passes(err) {
		return &busyError{err}
	}
	return err
}

// tryToArrive signs on once. Credentials that the manager does not know are replaced by new ones, unless
// they are fresh.
func (w *Worker) tryToArrive(ctx context.Context, known *credentials, fresh *bool) (status, error) {
	if _, err := w.manager.version(ctx); errors.Is(err, errNoManager) {
		return "", fmt.Errorf("%s: %w", w.cfg.Manager, err)
	} else if err != nil {
		return "", later(err)
	}
	if known.ID == "" {
		var err error
		if *known, err = w.register(ctx); err != nil {
			return "", later(err)
		}
		*fresh = true
		if err := w.keep(*known); err != nil {
			return "", err
		}
		w.cfg.Tell(fmt.Sprintf("registered at %s as %s", w.cfg.Manager, w.cfg.Name))
	}
	w.manager.setCredentials(*known)
	wanted, err := w.manager.signOn(ctx, signOn{Name: w.cfg.Name, Types: w.types, Version: "Blendtray " + w.cfg.Version})
	switch {
	case unknown(err) && !*fresh:
		w.cfg.Tell("the manager does not know this worker any more")
		*known = credentials{}
		return w.tryToArrive(ctx, known, fresh)
	case err != nil:
		return "", later(fmt.Errorf("sign on: %w", err))
	}
	w.cfg.Tell(fmt.Sprintf("signed on at %s as %s, for tasks of the types %s", w.cfg.Manager, w.cfg.Name, strings.Join(w.types, ", ")))
	return wanted, nil
}

// known returns the credentials of an earlier start, or none.
func (w *Worker) known() (credentials, error) {
	text, err := w.cfg.Store.Load()
	if err != nil {
		return credentials{}, fmt.Errorf("read the credentials for the manager: %w", err)
	}
	var c credentials
	if json.Unmarshal(text, &c) != nil || c.ID == "" || c.Secret == "" {
		return credentials{}, nil // as if the worker had never been there
	}
	return c, nil
}

func (w *Worker) keep(c credentials) error {
	text, err := json.Marshal(c)
	if err == nil {
		err = w.cfg.Store.Save(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep the credentials for the manager: %w", err)
	}
	return nil
}

// register has the manager make a worker, with a new secret.
func (w *Worker) register(ctx context.Context) (credentials, error) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it never fails
	c := credentials{Secret: hex.EncodeToString(secret[:])}
	w.manager.setCredentials(credentials{})
	done, err := w.manager.register(ctx, registration{Name: w.cfg.Name, Secret: c.Secret, Platform: runtime.GOOS, Types: w.types})
	if err != nil {
		return credentials{}, fmt.Errorf("register: %w", err)
	}
	c.ID = done.ID
	return c, nil
}

// takeTags gives the worker the tags that are wanted. It fails when the manager has no such tag.
func (w *Worker) takeTags(ctx context.Context) error {
	if len(w.cfg.Tags) == 0 {
		return nil
	}
	return w.insist(ctx, "tags", func() error {
		there, err := w.manager.tags(ctx)
		if err != nil {
			return err
		}
		var ids, names []string
		for _, t := range there {
			names = append(names, t.Name)
		}
		for _, name := range w.cfg.Tags {
			i := slices.IndexFunc(there, func(t tag) bool { return strings.EqualFold(t.Name, name) || t.ID == name })
			if i < 0 {
				return &answerError{http.StatusNotFound, fmt.Sprintf("there is no tag %q; the tags are: %s", name, strings.Join(names, ", "))}
			}
			ids = append(ids, there[i].ID)
		}
		known, err := w.known()
		if err != nil {
			return &answerError{http.StatusNotFound, err.Error()}
		}
		return w.manager.setTags(ctx, known.ID, ids)
	})
}

// insist asks until the manager answers. It fails when the manager refuses, with [errAgain] when the
// manager does not know the worker, and with the error of ctx.
func (w *Worker) insist(ctx context.Context, what string, ask func() error) error {
	wait := w.backOff()
	for {
		err := ask()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case unknown(err):
			return errAgain
		case !passes(err):
			return fmt.Errorf("%s: %w", what, err)
		}
		w.cfg.Logger.Warn("flamenco: the manager does not answer", "about", what, "error", err)
		if err := wait.wait(ctx); err != nil {
			return err
		}
	}
}

// sleep has the worker do nothing until the manager wants another status, and returns that.
func (w *Worker) sleep(ctx context.Context, s status) (status, error) {
	if err := w.insist(ctx, "state", func() error { return w.manager.stateChanged(ctx, s) }); err != nil {
		return "", err
	}
	w.cfg.Tell("the manager wants the worker to be " + string(s))
	wait := &backOff{next: w.cfg.pauses.idle, most: w.cfg.pauses.mostIdle}
	for {
		var wanted status
		err := w.insist(ctx, "state", func() (err error) {
			wanted, err = w.manager.state(ctx)
			return err
		})
		if err != nil || (wanted != "" && wanted != s) {
			return wanted, err
		}
		if err := wait.wait(ctx); err != nil {
			return "", err
		}
	}
}

// work executes tasks until the manager wants another status, and returns that.
func (w *Worker) work(ctx context.Context) (status, error) {
	if err := w.insist(ctx, "state", func() error { return w.manager.stateChanged(ctx, awake) }); err != nil {
		return "", err
	}
	w.cfg.Tell("awake: waits for tasks")
	idle := backOff{next: w.cfg.pauses.idle, most: w.cfg.pauses.mostIdle}
	for wait := idle; ; {
		if err := w.awaitEngine(ctx); err != nil {
			return "", err
		}
		task, wanted, err := w.manager.task(ctx)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case unknown(err):
			return "", errAgain
		case codeOf(err) == http.StatusConflict:
			// The manager takes the worker for one that is not awake, as after a new start of the manager.
			return awake, wait.wait(ctx)
		case err != nil:
			w.cfg.Logger.Warn("flamenco: no answer to the question for a task", "error", err)
		case wanted != "":
			return wanted, nil
		case task != nil:
			w.perform(ctx, task)
			wait = idle
			continue
		}
		if err := wait.wait(ctx); err != nil {
			return "", err
		}
	}
}

// awaitEngine waits until the engine answers and its Blender can be had: a task that can't run would
// count as a failure of this worker.
func (w *Worker) awaitEngine(ctx context.Context) error {
	told, wait := "", w.backOff()
	for {
		why := w.unready(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case why == "":
			return nil
		case why != told:
			told = why
			w.cfg.Tell("no tasks are taken: " + why)
		}
		if err := wait.wait(ctx); err != nil {
			return err
		}
	}
}

// unready says why the engine can execute no task, or "".
func (w *Worker) unready(ctx context.Context) string {
	st, err := w.cfg.Engine.Status(ctx)
	if err != nil {
		return err.Error()
	}
	name := w.cfg.Blender
	if name == "" {
		name = api.DefaultBlender
	}
	for _, b := range st.Blenders {
		if b.Name == name && !b.Resting && (b.State == api.BlenderFailed || b.State == api.BlenderStopped) {
			why := "the Blender " + name + " is " + string(b.State)
			if reason, _, _ := strings.Cut(b.Reason, "\n"); reason != "" {
				why += ": " + reason
			}
			return why
		}
	}
	return ""
}
