package blender

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"blendtray/addon"
)

// exitPort is how the launcher ends when it can't have its port.
const exitPort = 98

// launch starts a Blender and returns when it is ready. An [endError] says that another
// attempt may go better.
func (s *Supervisor) launch(ctx context.Context) (*instance, error) {
	s.set(func(st *Status) {
		*st = Status{State: Starting, Path: st.Path, Version: st.Version, Reason: st.Reason}
	})
	found, err := choose(ctx, s.cfg.Path)
	if err != nil {
		s.set(func(st *Status) { st.Path, st.Version = found.Path, "" })
		var slow *slowError
		switch {
		case errors.As(err, &slow):
			return nil, &endError{err.Error()}
		case errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("%w; install it, or name it in the settings as blender.path", err)
		}
		return nil, err
	}
	s.set(func(st *Status) { st.Path, st.Version = found.Path, found.Version })
	cmd, first, inst, err := s.prepare(found)
	if err != nil {
		return nil, err
	}
	s.log.Info("starting blender", "version", found.Version, "command", commandLine(cmd.Args))
	inst.proc, err = startProcess(cmd, first, inst.stream)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", found.Path, err)
	}
	s.set(func(st *Status) { st.PID = inst.proc.pid() })
	if err := s.greet(ctx, inst); err != nil {
		inst.kill()
		<-inst.proc.exited
		return nil, err
	}
	inst.version = found.Version
	s.mu.Lock()
	s.current = inst
	s.mu.Unlock()
	s.set(func(st *Status) {
		st.State, st.Port, st.Loop, st.Reason = Ready, inst.port, inst.session.Welcome.Loop, ""
	})
	s.log.Info("blender is ready", "version", found.Version, "pid", inst.proc.pid(), "port", inst.port)
	return inst, nil
}

// prepare makes the command and the line that goes before the life line.
func (s *Supervisor) prepare(found Found) (*exec.Cmd, []byte, *instance, error) {
	launcher, err := addon.Unpack(filepath.Join(s.cfg.Dir, "addon"))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("unpack the add-on: %w", err)
	}
	temp := filepath.Join(s.cfg.Dir, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, nil, nil, fmt.Errorf("make Blender's folder for temporary files: %w", err)
	}
	token, mark := s.cfg.Token, randomHex(16)
	if token == "" {
		token = randomHex(32)
	}
	first, err := json.Marshal(struct {
		Token string `json:"token"`
		Mark  string `json:"mark"`
		Port  int    `json:"port"`
	}{token, mark, s.cfg.Port})
	if err != nil {
		return nil, nil, nil, err
	}
	args := []string{"--background"}
	if s.cfg.FactoryStartup {
		args = append(args, "--factory-startup")
	}
	args = append(args, s.cfg.Args...)
	args = append(args, "--python", launcher, "--", "--supervised")
	cmd := exec.Command(found.Path, args...)
	cmd.Dir = temp
	// Blender puts its crash reports where its temporary files go.
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TEMP="+temp, "TMP="+temp)
	cmd.Env = append(cmd.Env, s.cfg.Env...)
	return cmd, append(first, '\n'), newInstance(s, token, mark), nil
}

// greet waits until a Blender that was started serves, and opens the session with it.
func (s *Supervisor) greet(ctx context.Context, inst *instance) error {
	timer := time.NewTimer(s.cfg.StartTimeout)
	defer timer.Stop()
	for {
		select {
		case <-inst.ready:
			session, err := Dial(ctx, fmt.Sprintf("127.0.0.1:%d", inst.port), inst.token)
			if err != nil {
				return &endError{inst.failure("no session with it", err)}
			}
			inst.session = session
			return nil
		case <-inst.proc.exited:
			if inst.proc.state != nil && inst.proc.state.ExitCode() == exitPort {
				return fmt.Errorf("port %d of 127.0.0.1 is in use by another program; "+
					"choose another one as blender.port in the settings, or 0 for any", s.cfg.Port)
			}
			return &endError{inst.failure("it ended before it was ready", errEnded(inst.proc.state))}
		case <-timer.C:
			return &endError{inst.failure("it was not ready in time", fmt.Errorf("within %s", s.cfg.StartTimeout))}
		case <-s.poke:
			if !s.wanted() {
				s.set(func(st *Status) { st.State, st.Reason = Stopping, "" })
				inst.kill()
				<-inst.proc.exited
				s.set(func(st *Status) { *st = Status{State: Stopped, Path: st.Path, Version: st.Version} })
				return ErrStopped
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// randomHex is n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
