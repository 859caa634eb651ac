package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/windows"

	"blendtray/app/home"
	"blendtray/app/service"
	"blendtray/control"
)

// running is what ran when the installer came, and is to run again.
type running struct {
	// Service tells of the service of this user, Machine of the service of the machine.
	Service bool `json:"service"`
	Machine bool `json:"machine"`
	// Programs are the trays and engines of this user that are no service.
	Programs []programRun `json:"programs"`
}

// programRun is how a program was started.
type programRun struct {
	Args        []string `json:"args"` // without the program's name
	Folder      string   `json:"folder"`
	Environment []string `json:"environment"` // empty where the system does not tell
}

// end ends every process whose program lies in one of the folders, and writes to a file what they were.
// Engines of this user are asked, whatever their home is, so that their run can end. What can't be asked,
// such as a tray, is ended. It fails when a process does not end.
func end(file string, folders []string) error {
	var was running
	machine := machineService(folders)
	if machine != nil {
		defer machine.Close()
		was.Machine = machine.isRunning()
	}
	all := processesIn(folders)
	for _, p := range all {
		if run, ok := programOf(p); ok {
			was.Programs = append(was.Programs, run)
		}
	}
	if len(all) > 0 {
		was.findService(folders)
	}
	text, err := json.Marshal(was)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return nil
	}
	fmt.Print("ran")
	if was.Machine {
		machine.stop()
	}
	for _, environment := range homesOf(all) {
		shutDown(environment)
	}
	if was.Service {
		call(folders, "service", "stop") // what does not end is ended below
	}
	for _, p := range processesIn(folders) {
		_ = p.Terminate() // it may have ended
	}
	for deadline := time.Now().Add(10 * time.Second); len(processesIn(folders)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("a program of the folder does not end; end it with the Task Manager")
		}
	}
	return nil
}

// findService finds out whether the service of this user runs. Its engine is then no program that is to be
// started again: the service does that.
func (r *running) findService(folders []string) {
	r.Service = call(folders, "service", "status")
	if r.Service {
		own := os.Getenv("BLENDTRAY_HOME")
		r.Programs = slices.DeleteFunc(r.Programs, func(p programRun) bool {
			return isEngine(p.Args) && homeIn(p.Environment) == own
		})
	}
}

// callTime is how long a command may take that waits for no run.
const callTime = 3 * time.Minute

// call runs a command of the Blendtray in the first of the folders that has one, and tells whether it
// succeeded in time.
func call(folders []string, args ...string) bool {
	for _, folder := range folders {
		program := filepath.Join(folder, "blendtray.exe")
		if _, err := os.Stat(program); err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), callTime)
			defer cancel()
			return hidden(exec.CommandContext(ctx, program, args...)).Run() == nil
		}
	}
	return false
}

// hidden has a command open no console.
func hidden(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
	return cmd
}

// homesOf returns the values of BLENDTRAY_HOME that processes of this user have, each once. The value of
// this process is among them.
func homesOf(all []*ps.Process) []string {
	homes := []string{os.Getenv("BLENDTRAY_HOME")}
	for _, p := range all {
		environment, err := p.Environ()
		if at := homeIn(environment); err == nil && isOurs(p) && !slices.Contains(homes, at) {
			homes = append(homes, at)
		}
	}
	return homes
}

// homeIn returns BLENDTRAY_HOME of an environment, or "".
func homeIn(environment []string) string {
	for _, variable := range environment {
		if name, value, _ := strings.Cut(variable, "="); strings.EqualFold(name, "BLENDTRAY_HOME") {
			return value
		}
	}
	return ""
}

// shutDown asks the engine of this user that has a value of BLENDTRAY_HOME to end, and waits until it has
// ended. Where no engine answers, it does nothing.
func shutDown(at string) {
	before := os.Getenv("BLENDTRAY_HOME")
	os.Setenv("BLENDTRAY_HOME", at) // "" is as if it were not set
	defer os.Setenv("BLENDTRAY_HOME", before)
	paths, err := home.Find()
	if err != nil {
		return
	}
	address, err := home.EngineAddress(paths)
	if err != nil {
		return
	}
	client := control.NewClient(address)
	ctx, cancel := context.WithTimeout(context.Background(), service.TimeToStop(client))
	defer cancel()
	if client.Shutdown(ctx) != nil {
		return
	}
	for ctx.Err() == nil && home.EngineRuns(paths) {
		time.Sleep(50 * time.Millisecond)
	}
}

// processesIn returns the processes whose program lies in one of the folders, but this process.
func processesIn(folders []string) (found []*ps.Process) {
	all, err := ps.Processes()
	if err != nil {
		return nil
	}
	for _, p := range all {
		program, err := p.Exe()
		if err != nil || int(p.Pid) == os.Getpid() || !isProgram(program) {
			continue
		}
		if isIn(program, folders) {
			found = append(found, p)
		}
	}
	return found
}

// isIn tells whether a file lies in one of the folders, whose names may be others, such as short ones.
func isIn(file string, folders []string) bool {
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	return slices.ContainsFunc(folders, func(folder string) bool {
		if same(dir, folder) {
			return true
		}
		other, otherErr := os.Stat(folder)
		return err == nil && otherErr == nil && os.SameFile(info, other)
	})
}

// isProgram tells whether a path is that of one of the two programs of Blendtray.
func isProgram(path string) bool {
	name := filepath.Base(path)
	return strings.EqualFold(name, "blendtray.exe") || strings.EqualFold(name, "blendtrayw.exe")
}

// programOf returns how a process was started. ok tells whether it is to be started again: a tray or an
// engine of this user, with the rights that this process has. A process that Windows' services have
// started is theirs.
func programOf(p *ps.Process) (run programRun, ok bool) {
	args, err := p.CmdlineSlice()
	if err != nil || len(args) == 0 || len(args) > 1 && !isEngine(args[1:]) || !isOurs(p) {
		return programRun{}, false
	}
	if parent, err := p.Parent(); err == nil {
		if name, err := parent.Name(); err == nil && strings.EqualFold(name, "services.exe") {
			return programRun{}, false
		}
	}
	run.Args = args[1:]
	run.Folder, _ = p.Cwd()          // "" is that of this process
	run.Environment, _ = p.Environ() // so is none
	return run, true
}

// isEngine tells whether arguments are those of an engine.
func isEngine(args []string) bool { return len(args) > 0 && args[0] == "serve" }

// isOurs tells whether a process belongs to this user and has neither more rights than this process nor
// fewer. What an administrator's installer would start again would have the rights of an administrator.
func isOurs(p *ps.Process) bool {
	own, err := user.Current()
	if err != nil {
		return false
	}
	name, err := p.Username()
	if err != nil || !strings.EqualFold(name, own.Username) {
		return false
	}
	handle, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.Pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(handle)
	var token windows.Token
	if windows.OpenProcessToken(handle, windows.TOKEN_QUERY, &token) != nil {
		return false
	}
	defer token.Close()
	return token.IsElevated() == windows.GetCurrentProcessToken().IsElevated()
}

// again starts what a file tells of, which [end] has written, with the programs in a folder. It starts as
// much as it can, and fails with what it can't.
func again(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var was running
	if err := json.Unmarshal(text, &was); err != nil {
		return err
	}
	var failed []error
	if was.Machine {
		failed = append(failed, startMachineService())
	}
	if was.Service {
		// It names the folder, which may be a new one, and starts.
		if !call([]string{folder}, "service", "install") {
			failed = append(failed, errors.New("the service of this user does not start; `blendtray service status` says more"))
		}
	}
	for _, p := range was.Programs {
		cmd := exec.Command(filepath.Join(folder, "blendtrayw.exe"), p.Args...)
		if info, err := os.Stat(p.Folder); err == nil && info.IsDir() {
			cmd.Dir = p.Folder
		}
		if len(p.Environment) > 0 {
			cmd.Env = p.Environment
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
		failed = append(failed, cmd.Start())
	}
	return errors.Join(failed...)
}

// leave removes the services that start a program of a folder, and stops them before. Those of other users
// stay, because nobody but these users can ask for them.
func leave(folder string) error {
	call([]string{folder}, "service", "uninstall") // there may be none
	s := machineService([]string{folder})
	if s == nil {
		return nil
	}
	defer s.Close()
	s.stop()
	return s.Delete()
}
