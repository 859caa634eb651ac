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
	"slices"
	"strings"
	"time"

	"blendtray/addon"
	"blendtray/api"
)

// exitPort is the exit code of the launcher when it can't have its port.
const exitPort = 98

// firstExtraFile is the descriptor that a child has for the first of its extra files.
const firstExtraFile = 3

// exitScene is the exit code of a Blender in the background that can't open the .blend of its
// command line.
const exitScene = 1

// sceneTimes is how many times longer a start with a .blend may take: a file of gigabytes may lie
// on a network drive.
const sceneTimes = 10

// CantOpen follows the path of a .blend where Blender can't open the file: in the reason of a Blender
// that has failed, and in the error of a run.
const CantOpen = " can't be opened"

// launch starts a Blender and returns its instance when it is ready. It fails with an [endError]
// when another attempt may succeed, and with another error when it can not. When it fails or ctx
// ends, it leaves no process.
func (s *Supervisor) launch(ctx context.Context) (*instance, error) {
	s.set(func(st *api.BlenderStatus) {
		*st = anew(*st, api.BlenderStarting, st.Reason)
	})
	spec := s.currentSpec()
	found, err := Choose(ctx, spec.Path)
	if err != nil {
		s.set(func(st *api.BlenderStatus) { st.Path, st.Source, st.Version = found.Path, found.Source, "" })
		var unknown *unknownError
		switch {
		case errors.As(err, &unknown):
			return nil, &endError{text: err.Error(), patient: true}
		case errors.Is(err, ErrNotFound):
			return nil, fmt.Errorf("%w; install it, or name it in the settings as blender.path", err)
		case spec.Path != "" && ctx.Err() == nil && keyOfPath(spec.Name) != "":
			return nil, fmt.Errorf("%w; `blendtray settings %s PATH` names another program", err, keyOfPath(spec.Name))
		}
		return nil, err
	}
	s.set(func(st *api.BlenderStatus) { st.Path, st.Source, st.Version = found.Path, found.Source, found.Version })
	if s.cfg.Announce != nil && !isFree(spec.Port) {
		return nil, &portError{spec.Port} // found out without starting Blender
	}
	cmd, first, inst, err := s.prepare(spec, found)
	if err != nil {
		return nil, err
	}
	s.log.Info("starting blender", "version", found.Version, "command", commandLine(cmd.Args))
	inst.proc, err = startProcess(cmd, first, inst.stream, inst.buried)
	for _, handed := range cmd.ExtraFiles {
		handed.Close() // Blender has its own
	}
	if err != nil {
		inst.hangUp()
		inst.temp.remove()
		if err = fmt.Errorf("start %s: %w", found.Path, err); isPassing(err) {
			return nil, &endError{text: err.Error(), patient: true}
		}
		return nil, err
	}
	inst.temp.note(inst.proc.group.note())
	go inst.watchDeath()
	s.set(func(st *api.BlenderStatus) { s.starting, st.PID = inst, inst.proc.pid() })
	err = s.greet(ctx, inst)
	s.mu.Lock()
	s.starting = nil
	s.mu.Unlock()
	if err != nil {
		if ctx.Err() != nil {
			s.set(func(st *api.BlenderStatus) { st.State, st.Reason = api.BlenderStopping, "" })
		}
		inst.proc.kill() // it has no work yet that could be lost
		<-inst.proc.exited
		s.noteEnd(inst)
		return nil, err
	}
	inst.announce()
	inst.version = found.Version
	inst.noteLinked()
	s.set(func(st *api.BlenderStatus) {
		s.current = inst
		s.failures.succeeded()
		st.State, st.Port, st.Loop, st.Reason = api.BlenderReady, inst.says.Port, inst.session.Welcome.Loop, ""
	})
	s.log.Info("blender is ready", "version", found.Version, "pid", inst.proc.pid(), "port", inst.says.Port)
	return inst, nil
}

// keyOfPath returns the setting that names the program of a Blender, or "" for a Blender that only the machine
// has, whose name is a version or a path.
func keyOfPath(name string) string {
	switch {
	case name == api.DefaultBlender:
		return "blender.path"
	case name == "" || strings.ContainsAny(name, `./\:`):
		return ""
	}
	return "blenders." + name + ".path"
}

// prepare returns the command, the first line of its standard input, which goes before the life
// line, and the instance.
func (s *Supervisor) prepare(spec api.BlenderSpec, found Found) (*exec.Cmd, []byte, *instance, error) {
	// The temporary files are Blender's, the compiled files those of its scripts and ours.
	temps, compiled := filepath.Join(spec.Dir, "tmp"), filepath.Join(spec.Dir, "compiled")
	for _, dir := range []string{spec.Dir, temps, compiled} {
		if err := addon.PrivateFolder(dir); err != nil {
			return nil, nil, nil, fmt.Errorf("make the folders of Blender: %w", err)
		}
	}
	launcher, err := addon.Unpack(filepath.Join(spec.Dir, "addon"))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("unpack the add-on: %w", err)
	}
	sweepTempFolders(temps)
	temp, err := newTempFolder(temps)
	if err != nil {
		return nil, nil, nil, err
	}
	token, mark := randomHex(32), randomHex(16)
	environ := s.environ(found.Path)
	start := newStart(found, spec, environ)
	read := start.fingerprint()
	env, restored := startEnviron(environ, temp.path, compiled)
	says := struct {
		Token   string             `json:"token"`
		Mark    string             `json:"mark"`
		Port    *uint16            `json:"port"`
		Socket  *int               `json:"socket"`
		Inode   uint64             `json:"inode"`
		Environ map[string]*string `json:"environ"`
		Faults  string             `json:"faults,omitempty"`
	}{Token: token, Mark: mark, Environ: restored, Faults: faultsFile(temp.path)}
	conn, handed, err := socketPair()
	if err != nil {
		temp.remove()
		return nil, nil, nil, fmt.Errorf("make a socket for Blender: %w", err)
	}
	if handed != nil {
		says.Socket, says.Inode = new(firstExtraFile), inodeOf(handed)
	}
	if s.cfg.Announce != nil || handed == nil {
		says.Port = &spec.Port
	}
	first, err := json.Marshal(says)
	if err != nil {
		temp.remove()
		return nil, nil, nil, err
	}
	args := []string{"--background"}
	if spec.FactoryStartup {
		args = append(args, "--factory-startup")
	}
	args = append(args, openArgs(spec)...)
	args = append(args, "--python", launcher, "--", "--supervised")
	cmd := exec.Command(found.Path, args...)
	cmd.Dir, cmd.Env = temps, env
	if handed != nil {
		cmd.ExtraFiles = []*os.File{handed}
	}
	if spec.Confined {
		own := []string{temp.path}
		if spec.Confinement.Store != "" {
			own = append(own, spec.Confinement.Store)
		}
		// Compiled files that a confined Blender writes would run in others.
		if err := confine(cmd, spec.Confinement, spec.Dir, []string{filepath.Dir(launcher), compiled}, own); err != nil {
			temp.remove()
			conn.Close()
			for _, f := range cmd.ExtraFiles {
				f.Close()
			}
			return nil, nil, nil, err
		}
	}
	inst := newInstance(s, spec, temp, token, mark)
	inst.conn = conn
	inst.start, inst.read = start, read
	return cmd, append(first, '\n'), inst, nil
}

// openArgs returns the arguments that the settings add, and then the .blend that Blender opens. Opened
// from the command line, the file looks to a script as it does in a Blender that is started for it.
func openArgs(spec api.BlenderSpec) []string {
	if spec.Scene == "" {
		return spec.Args
	}
	return append(slices.Clone(spec.Args), spec.Scene)
}

// noteEnd logs how a process has ended.
func (s *Supervisor) noteEnd(inst *instance) {
	s.log.Info("blender ended", "pid", inst.proc.pid(), "how", inst.proc.how())
}

// greet waits until a Blender that was started serves, and opens the session with it. It fails with
// an [endError], with the error of ctx, or because the port is taken.
func (s *Supervisor) greet(ctx context.Context, inst *instance) error {
	if err := inst.awaitReady(ctx); err != nil {
		return err
	}
	inst.proc.noMorePauses() // from here on the engine waits for it
	session, err := inst.dial(ctx)
	switch {
	case err == nil:
		inst.session = session
		inst.mu.Lock()
		inst.greeted = session
		inst.mu.Unlock()
		go inst.heed()
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &endError{text: inst.failure("no session with it", err)}
}

// awaitReady waits for the mark that says that Blender is ready. The time of pauses does not count.
// It fails when the process ends, when the start takes too long, and when ctx ends.
func (i *instance) awaitReady(ctx context.Context) error {
	limit := time.Duration(i.spec.StartTimeout)
	if i.spec.Scene != "" {
		limit *= sceneTimes
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for counted := time.Duration(0); ; {
		select {
		case <-i.ready:
			return nil
		case <-i.proc.exited:
			if i.proc.state != nil && i.proc.state.ExitCode() == exitPort && i.spec.Port != 0 {
				return &portError{i.spec.Port}
			}
			if i.proc.state != nil && i.proc.state.ExitCode() == exitScene && i.spec.Scene != "" {
				return errors.New(i.failure(i.spec.Scene+CantOpen, errEnded(i.proc.state)))
			}
			if i.spec.Scene != "" { // as a file that Blender crashes with
				return &endError{text: i.failure(i.spec.Scene+CantOpen, fmt.Errorf("its Blender ended before it was ready: %w", errEnded(i.proc.state)))}
			}
			return &endError{text: i.failure("it ended before it was ready", errEnded(i.proc.state))}
		case <-timer.C:
			if paused := i.proc.paused(); paused > counted {
				timer.Reset(paused - counted)
				counted = paused
				continue
			}
			if i.spec.Scene != "" {
				return &endError{text: i.failure(i.spec.Scene+CantOpen, fmt.Errorf("its Blender was killed, since it was not ready within %s", limit))}
			}
			return &endError{text: i.failure("it was killed", fmt.Errorf("it was not ready within %s", limit))}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// randomHex returns n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
