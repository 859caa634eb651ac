package blender

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"blendtray/api"
)

// Config is what a [Supervisor] is made of.
type Config struct {
	// Renew, if there is one, is asked before each start of Blender for what is to hold for
	// that one: of what it gives, Path, Args, FactoryStartup, Port, MaxMemoryBytes, MaxRuns,
	// CancelGrace and StartTimeout are taken.
	Renew func() Config
	// Path is the program; "" has one found.
	Path string
	// Args are given to Blender before --python.
	Args []string
	// FactoryStartup starts Blender without the user's preferences and add-ons.
	FactoryStartup bool
	// Port is what Blender listens on; 0 leaves the choice to the system.
	Port int
	// Dir is a folder of this supervisor alone, open to the user alone. In it lie the
	// add-on, and in tmp what Blender and scripts write into the folder for temporary files.
	// A Blender in Flatpak's sandbox must be able to see it.
	Dir string
	// Token is what clients of the port have to show; "" makes one for each start.
	Token string
	// Log is given all that Blender prints, runs' output included; nil discards it. It is
	// written to by one goroutine, and one that stands still loses text, never time.
	Log io.Writer
	// MaxMemoryBytes is the resident size above which Blender is replaced between two
	// runs; 0 is no limit.
	MaxMemoryBytes uint64
	// MaxRuns is after how many runs Blender is replaced; 0 is never.
	MaxRuns int
	// CancelGrace is how long a run may take to end after it was asked to, before Blender
	// is killed; 0 is 3 s.
	CancelGrace time.Duration
	// StartTimeout is how long Blender may take to be ready; 0 is 60 s, which leaves room
	// for a cold disk: 0.8 s is usual.
	StartTimeout time.Duration
	// StopGrace is how long each step of stopping may take: the quit frame, the end of
	// standard input, the signal to terminate; 0 is 2 s. Then it is killed.
	StopGrace time.Duration
	Logger    *slog.Logger
	// Changed is called after each change of status, one call at a time and in order. It must
	// not block; it may call what it likes of the supervisor.
	Changed func(api.BlenderStatus)
	// Env is added to the environment, as "NAME=value".
	Env []string
}

// ErrStopped is returned when a run is asked of a Blender that is stopped.
var ErrStopped = errors.New("blender is stopped")

// ErrNotStarted is returned when Blender went before a run began in it. Nothing of the run
// was executed, so it may be asked for again.
var ErrNotStarted = errors.New("blender went before the run began")

// FailedError is returned when a run is asked of a Blender that can't be started.
type FailedError struct{ Reason string }

func (e *FailedError) Error() string { return "blender can't be started: " + e.Reason }

// renewed is what holds for the Blender that is about to be started.
func (cfg Config) renewed() Config {
	if cfg.Renew != nil {
		next := cfg.Renew()
		cfg.Path, cfg.Args, cfg.FactoryStartup, cfg.Port = next.Path, next.Args, next.FactoryStartup, next.Port
		cfg.MaxMemoryBytes, cfg.MaxRuns = next.MaxMemoryBytes, next.MaxRuns
		cfg.CancelGrace, cfg.StartTimeout = next.CancelGrace, next.StartTimeout
	}
	if cfg.CancelGrace == 0 {
		cfg.CancelGrace = 3 * time.Second
	}
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = time.Minute
	}
	return cfg
}

// New makes a supervisor, which starts nothing before [Supervisor.Serve].
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
	if dir, err := filepath.Abs(cfg.Dir); err == nil { // else it is used as it was given
		cfg.Dir = dir
	}
	return &Supervisor{
		cfg: cfg, log: cfg.Logger, printed: newLogWriter(cfg.Log),
		board: newBoard(api.BlenderStatus{State: api.BlenderStopped, Reason: "not started yet"}, cfg.Changed), slot: make(chan struct{}, 1),
	}
}
