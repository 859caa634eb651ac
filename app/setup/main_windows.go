// Command setup does for the installer of Windows what NSIS can't: it ends the programs of a folder
// without losing their run, and changes PATH, which is longer than what NSIS can hold.
//
//	setup end FOLDER [FOLDER]      ends every Blendtray from the folders, and prints which there were:
//	                               "service", "tray" and "engine", with spaces between them
//	setup path add|remove FOLDER [machine]
//	setup forget                   removes the settings, runs and logs of this user
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/windows/registry"

	"blendtray/app/home"
	"blendtray/control"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 2 && args[0] == "end":
		roles, err := end(args[1:])
		fmt.Print(strings.Join(roles, " "))
		return err
	case len(args) >= 3 && args[0] == "path":
		change := map[string]func(list, folder string) string{"add": with, "remove": without}[args[1]]
		if change != nil {
			return changePath(change, args[2], len(args) > 3)
		}
	case len(args) == 1 && args[0] == "forget":
		return forget()
	}
	return errors.New("usage: setup end FOLDER… | path add|remove FOLDER [machine] | forget")
}

// endTime is how long engines may take to end: a run may end for a minute.
const endTime = 95 * time.Second

// end ends every process whose program lies in one of the folders, and returns what they were. An
// engine is asked, so that its run can end; a tray, and an engine that can't be asked because it has
// another home or user, is ended.
func end(folders []string) (roles []string, err error) {
	all := processesIn(folders)
	if len(all) == 0 {
		return nil, nil
	}
	for _, folder := range folders {
		program := filepath.Join(folder, "blendtray.exe")
		if exec.Command(program, "service", "status").Run() == nil {
			roles = append(roles, "service")
			_ = exec.Command(program, "service", "stop").Run() // what does not end is ended below
			break
		}
	}
	for _, p := range all {
		if role := roleOf(p); role != "" && !slices.Contains(roles, role) && (role != "engine" || !slices.Contains(roles, "service")) {
			roles = append(roles, role)
		}
	}
	if paths, err := home.Find(); err == nil {
		shutDown(paths)
	}
	for _, p := range processesIn(folders) {
		_ = p.Terminate() // it may have ended
	}
	for deadline := time.Now().Add(10 * time.Second); len(processesIn(folders)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return roles, errors.New("a program of the folder does not end; end it with the Task Manager")
		}
	}
	return roles, nil
}

// shutDown asks the engine of this user to end, and waits until it has ended.
func shutDown(paths home.Paths) {
	address, err := home.EngineAddress(paths)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if control.NewClient(address).Shutdown(ctx) != nil {
		return // no engine answers
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
		if slices.ContainsFunc(folders, func(folder string) bool { return same(filepath.Dir(program), folder) }) {
			found = append(found, p)
		}
	}
	return found
}

// isProgram tells whether a path is that of one of the two programs of Blendtray.
func isProgram(path string) bool {
	name := filepath.Base(path)
	return strings.EqualFold(name, "blendtray.exe") || strings.EqualFold(name, "blendtrayw.exe")
}

// roleOf returns "engine" for a process of `blendtray serve`, "tray" for that of a tray, and else "".
func roleOf(p *ps.Process) string {
	args, err := p.CmdlineSlice()
	switch {
	case err != nil || len(args) == 0:
		return ""
	case len(args) == 1:
		return "tray"
	case args[1] == "serve":
		return "engine"
	}
	return ""
}

// changePath changes PATH of the user, or of the machine, and leaves everything else in it as it is.
func changePath(change func(list, folder string) string, folder string, machine bool) error {
	root, name := registry.CURRENT_USER, "Environment"
	if machine {
		root, name = registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	}
	key, _, err := registry.CreateKey(root, name, registry.QUERY_VALUE|registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer key.Close()
	list, kind, err := key.GetStringValue("Path")
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("read Path: %w", err)
	}
	changed := change(list, folder)
	switch {
	case changed == list:
		return nil
	case changed == "":
		return key.DeleteValue("Path")
	case kind == registry.SZ:
		return key.SetStringValue("Path", changed)
	}
	return key.SetExpandStringValue("Path", changed)
}

// forget removes what Blendtray has kept of this user. A folder that BLENDTRAY_HOME names may have
// other things in it, and stays.
func forget() error {
	if os.Getenv("BLENDTRAY_HOME") != "" {
		return errors.New("BLENDTRAY_HOME names the folder of settings and runs; remove it yourself")
	}
	p, err := home.Find()
	if err != nil {
		return err
	}
	var failed []error
	for _, dir := range []string{p.Config, p.Data, p.State, p.Log, p.Runtime, p.Cache} {
		failed = append(failed, os.RemoveAll(dir))
	}
	return errors.Join(failed...)
}
