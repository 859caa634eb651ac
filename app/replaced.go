package app

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
)

// ownProgram is the file that this process was started from. The zero value is a file of which nothing
// is known, so that it never counts as replaced.
type ownProgram struct {
	path string
	was  os.FileInfo
}

// findOwnProgram returns the file that this process was started from. It has to be called while that
// file is sure to be there: at the start.
func findOwnProgram() ownProgram {
	path, err := os.Executable()
	if err != nil {
		return ownProgram{}
	}
	is, err := os.Stat(path)
	if err != nil {
		return ownProgram{}
	}
	return ownProgram{path, is}
}

// replacement returns the file that lies where the program lay, or nil when that is still the program,
// or nothing.
func (p ownProgram) replacement() os.FileInfo {
	if p.was == nil {
		return nil
	}
	is, err := os.Stat(p.path)
	if err != nil || os.SameFile(is, p.was) {
		return nil
	}
	return is
}

// starts tells whether the program at the path can be started: that it says its version. A copy that is
// still being written can't.
func (p ownProgram) starts(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, p.path, "version").Run() == nil
}

// replacedCode is the exit code of an engine that ends because its program was replaced: EX_TEMPFAIL of
// sysexits.h. The units of the service have the engine started again after any code but that of wrong
// settings.
const replacedCode = 75

// lookEvery is how often an engine looks whether its program was replaced.
const lookEvery = time.Second

// successor ends an engine whose program was replaced, as an upgrade does, so that the service starts
// the new program. It does so only while that costs nobody anything: no run is running, no session
// would be lost, nobody goes on with a scene that is kept, and the new program can be started.
type successor struct {
	program ownProgram
	status  func() api.Status
	// idle returns after which time nobody goes on with a scene that is kept: that of sessions.
	idle   func() time.Duration
	logger *slog.Logger
}

// Serve returns when ctx ends, or fails with [replacedCode] when the engine has to make place.
func (s successor) Serve(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if s.program.replacement() == nil {
			continue
		}
		if !told {
			s.logger.Info("the program was replaced; the service starts the new program when no run is running and no session or kept scene is in use", "program", s.program.path)
			told = true
		}
		if s.isIdle() && s.program.starts(ctx) && s.isIdle() {
			return fault.New(replacedCode, "", "the program was replaced, so this engine makes place for the new program")
		}
	}
}

// isIdle tells whether nobody would notice that the engine ends and starts again. A scene that the next
// run would go on with ends with the engine, as a session does, and is not in use after the same time.
func (s successor) isIdle() bool {
	st := s.status()
	if st.Running > 0 || len(sessionsOf(st)) > 0 {
		return false
	}
	idle := s.idle()
	return !slices.ContainsFunc(st.Processes, func(p api.ProcessStatus) bool {
		return p.KeptAt != nil && (idle <= 0 || time.Since(*p.KeptAt) < idle)
	})
}
