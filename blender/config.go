package blender

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"blendtray/api"
)

// Config is the configuration of a [Supervisor].
type Config struct {
	// BlenderSpec says which Blender is run: its program, arguments, port and limits. A limit of 0
	// stands for the default: 3 s for CancelGrace and 1 minute for StartTimeout, which leaves time
	// for a slow disk (a start usually takes 0.8 s). Dir must be given, and only the user may have
	// access to it. It holds the add-on, the compiled files of Blender's scripts, and in the folder
	// tmp a folder for the temporary files and crash reports of each process. Several Blenders may
	// share Dir. A Blender in Flatpak's sandbox must be able to see it.
	api.BlenderSpec
	// Announce, if it is not nil, makes Blender listen on the port of BlenderSpec, for programs other
	// than this one. It is called after each start, with the process id, the port, and the token of
	// this start, which such programs need. What it returns is called when that Blender is gone.
	Announce func(pid, port int, token string) (withdraw func())
	// Log is given all that Blender prints, the output of runs included; nil discards it. One
	// goroutine writes to it. When Log blocks, text is lost, but Blender is not held up.
	Log io.Writer
	// StopGrace is how long each step of stopping may take: the quit frame, the end of standard
	// input, the signal to terminate; 0 is 2 s. After these steps Blender is killed.
	StopGrace time.Duration
	Logger    *slog.Logger
	// Changed is called after each change of status, one call at a time and in order. It must not
	// block, but it may call every method of the supervisor.
	Changed func(api.BlenderStatus)
	// Env is added to the environment, as "NAME=value".
	Env []string
}

// ErrStopped is returned when a run is asked of a Blender that is stopped.
var ErrStopped = errors.New("blender is stopped")

// ErrNotStarted is returned when Blender ended before a run began in it. Nothing of the run was
// executed, so the run may be asked for again.
var ErrNotStarted = errors.New("blender went before the run began")

// ErrLeft is the cause of the end of the context of a run that goes on on another machine: whoever waits
// for its end leaves, and does not cancel the run.
var ErrLeft = errors.New("the run goes on elsewhere")

// PreparingError is in the chain of an [ErrNotStarted] when Blender went while it made the scene of
// the run ready, so that the scene may be the cause.
type PreparingError struct{ Scene string }

func (e *PreparingError) Error() string { return "while it made the scene ready (" + e.Scene + ")" }

// FailedError is returned when a run is asked of a Blender that can't be started.
type FailedError struct{ Reason string }

func (e *FailedError) Error() string { return "blender can't be started: " + e.Reason }

// These are the defaults of the limits that an [api.BlenderSpec] leaves out.
const (
	defaultCancelGrace  = api.Duration(3 * time.Second)
	defaultStartTimeout = api.Duration(time.Minute)
)

// completed returns a specification in which the defaults stand for what it leaves out.
func completed(spec api.BlenderSpec) api.BlenderSpec {
	if spec.CancelGrace == 0 {
		spec.CancelGrace = defaultCancelGrace
	}
	if spec.StartTimeout == 0 {
		spec.StartTimeout = defaultStartTimeout
	}
	if dir, err := filepath.Abs(spec.Dir); err == nil { // otherwise the path is used as it was given
		spec.Dir = dir
	}
	return spec
}

// New returns a supervisor. It starts nothing before [Supervisor.Serve].
func New(cfg Config) *Supervisor {
	if cfg.StopGrace == 0 {
		cfg.StopGrace = 2 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{
		cfg: cfg, spec: completed(cfg.BlenderSpec), log: cfg.Logger, printed: newLogWriter(cfg.Log),
		board: newBoard(cfg.Name, api.BlenderStatus{Kind: api.BlenderOwn, State: api.BlenderStopped, Reason: "not started yet"}, cfg.Changed), slot: make(chan struct{}, 1),
	}
}

// Configure sets the specification that holds from the next start of Blender on.
func (s *Supervisor) Configure(spec api.BlenderSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spec = completed(spec)
}

func (s *Supervisor) currentSpec() api.BlenderSpec {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec
}
