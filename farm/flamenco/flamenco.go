// Package flamenco makes an engine a worker of a manager of Flamenco 3, over the interface that Flamenco
// publishes. The tasks of the manager become runs of the engine: warm, in its history, and within its
// limits. The package is no manager, and knows the engine only as its clients do.
//
//	worker, err := flamenco.New(flamenco.Config{Manager: "http://farm:8080", Engine: client, Store: store})
//	err = worker.Serve(ctx) // until ctx ends, or the manager sends the worker offline
//
// manager.go has what goes over the wire, worker.go the states of a worker, task.go how a task is
// executed, and commands.go, render.go and programs.go what each command does.
package flamenco

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"blendtray/api"
)

// Engine is what a worker asks of an engine; a client of control is one.
type Engine interface {
	Status(ctx context.Context) (api.Status, error)
	Settings(ctx context.Context) (api.SettingsReport, error)
	SubmitAndFollow(ctx context.Context, s api.Submission) iter.Seq2[api.Event, error]
	Cancel(ctx context.Context, id string) (api.Run, error)
}

// Store keeps the credentials of a worker from one start to the next, where only the user reads them.
type Store interface {
	// Load returns what was saved, or nothing.
	Load() ([]byte, error)
	Save(text []byte) error
}

// Config says which manager a worker works for, and how.
type Config struct {
	// Manager is the URL of the manager, such as "http://farm:8080"; without http:// it is meant.
	Manager string
	// Name is the name of the worker, "" for that of the machine.
	Name string
	// Tags are the names of the manager's tags that the worker is to have. Without any, the worker
	// keeps the tags that it has been given.
	Tags []string
	// Blender is the Blender that executes tasks that name none, "" for the engine's default.
	Blender string
	// Version is the version of this program.
	Version string
	Engine  Engine
	// Lost tells that an error of the engine means that the engine is gone, and may come back.
	Lost  func(error) bool
	Store Store
	// Tell tells a person in a sentence what the worker does; nil tells nobody.
	Tell   func(sentence string)
	Logger *slog.Logger

	// pauses are shorter in tests.
	pauses pauses
}

// pauses say how long a worker waits for what.
type pauses struct {
	idle, mostIdle   time.Duration // before it asks for a task again, at first and at last
	retry, mostRetry time.Duration // before it asks a manager or an engine again that does not answer
	mayRun           time.Duration // between two questions whether a task may go on
	report           time.Duration // between two reports of what a task has printed
	picture          time.Duration // between two pictures
	farewell         time.Duration // for the last words when the worker is ended
	engine           time.Duration // for an engine that is gone to come back, in a task
}

var usualPauses = pauses{
	idle: time.Second, mostIdle: 10 * time.Second,
	retry: time.Second, mostRetry: 30 * time.Second,
	mayRun: 5 * time.Second, report: 2 * time.Second, picture: 2 * time.Second,
	farewell: 5 * time.Second, engine: time.Minute,
}

// Worker is a worker of one manager.
type Worker struct {
	cfg      Config
	manager  *manager
	types    []string
	pictures *pictures
}

// New returns a worker. It fails when the configuration makes no sense, and asks nobody.
func New(cfg Config) (*Worker, error) {
	base, err := ManagerURL(cfg.Manager)
	if err != nil {
		return nil, err
	}
	cfg.Manager = base
	if cfg.Name = strings.TrimSpace(cfg.Name); cfg.Name == "" {
		if cfg.Name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("the machine has no name, so give the worker a name: %w", err)
		}
	}
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	if cfg.Lost == nil {
		cfg.Lost = func(error) bool { return false }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.pauses == (pauses{}) {
		cfg.pauses = usualPauses
	}
	m := newManager(base, "Blendtray/"+cfg.Version)
	return &Worker{cfg: cfg, manager: m, types: taskTypes(), pictures: newPictures(m, cfg.pauses.picture, cfg.Logger)}, nil
}

// ManagerURL returns the URL of a manager as a worker uses it, without a slash at its end. It fails for
// what is no URL of a server.
func ManagerURL(text string) (string, error) {
	whole := strings.TrimSpace(text)
	if !strings.Contains(whole, "://") {
		whole = "http://" + whole
	}
	u, err := url.Parse(whole)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("%q is no URL of a manager, such as http://farm:8080", text)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u.String(), nil
}

// taskTypes returns the types of tasks that a worker on this machine takes.
func taskTypes() []string {
	all := []string{"blender", "blendtray", "file-management", "misc"}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		all = append(all, "ffmpeg")
	}
	return all
}

// pause waits for some time. It fails with the error of ctx when that ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// backOff is a pause that grows.
type backOff struct{ next, most time.Duration }

// wait waits, twice as long from time to time. It fails with the error of ctx when that ends first.
func (b *backOff) wait(ctx context.Context) error {
	d := b.next
	b.next = min(2*d, b.most)
	return pause(ctx, d)
}

func (w *Worker) backOff() *backOff {
	return &backOff{next: w.cfg.pauses.retry, most: w.cfg.pauses.mostRetry}
}

// errAgain ends the states of a worker that has to sign on again.
var errAgain = errors.New("sign on again")
