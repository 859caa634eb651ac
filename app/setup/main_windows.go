// Command setup does for the installer of Windows what NSIS can't: it ends the programs of a folder
// without losing their run, starts them again as they were, replaces files as a whole or not at all, and
// changes PATH, which is longer than what NSIS can hold.
//
//	setup end FILE FOLDER [FOLDER]  ends every Blendtray from the folders, writes to FILE what ran, and
//	                                prints "ran" when something did
//	setup again FILE FOLDER         starts again what FILE tells of, with the programs in the folder
//	setup prepare FOLDER            makes the folder ready for new files, which come into its folder .new
//	setup replace FOLDER            puts them into the places of the old files, all of them or none
//	setup restore FOLDER            takes that back
//	setup hold FOLDER               makes it final
//	setup move FOLDER TO            has services start the program of TO that start the program of FOLDER
//	setup leave FOLDER              removes the services that start a program of the folder
//	setup path add|remove|has FOLDER [machine]  changes PATH, or fails when the folder is not in it
//	setup forget                    removes the settings, runs and logs of this user, and of LocalSystem
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"blendtray/app/home"
	"blendtray/app/service"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 {
		if do := ofFolder[args[0]]; do != nil {
			return do(args[1])
		}
	}
	switch {
	case len(args) >= 3 && args[0] == "end":
		return end(args[1], args[2:])
	case len(args) == 3 && args[0] == "again":
		return again(args[1], args[2])
	case len(args) == 3 && args[0] == "move":
		return move(args[1], args[2])
	case len(args) >= 3 && args[0] == "path" && args[1] == "has":
		return hasPath(args[2], len(args) > 3)
	case len(args) >= 3 && args[0] == "path":
		change := map[string]func(list, folder string) string{"add": with, "remove": without}[args[1]]
		if change != nil {
			return changePath(change, args[2], len(args) > 3)
		}
	case len(args) == 1 && args[0] == "forget":
		return forget()
	}
	return errors.New("usage: setup end FILE FOLDER… | again FILE FOLDER | prepare|replace|restore|hold|leave FOLDER | move FOLDER TO | path add|remove|has FOLDER [machine] | forget")
}

// ofFolder has what is done with one folder.
var ofFolder = map[string]func(folder string) error{
	"prepare": prepare,
	"replace": replace,
	"restore": restore,
	"hold":    func(folder string) error { hold(folder); return nil },
	"leave":   leave,
}

// hasPath fails unless PATH of the user, or of the machine, has a folder.
func hasPath(folder string, machine bool) error {
	has := false
	look := func(list, folder string) string {
		has = with(list, folder) == list
		return list
	}
	if err := changePath(look, folder, machine); err != nil {
		return err
	}
	if !has {
		return fmt.Errorf("PATH does not have %s", folder)
	}
	return nil
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

// forget removes what Blendtray has kept of this user and, where no service of the machine is left, of
// LocalSystem, which nobody else asks for. A folder that BLENDTRAY_HOME names may have other things in it, and
// stays.
func forget() error {
	failed := []error{forgetSystem()}
	if os.Getenv("BLENDTRAY_HOME") != "" {
		return errors.Join(append(failed, errors.New("BLENDTRAY_HOME names the folder of settings and runs; remove it yourself"))...)
	}
	p, err := home.Find()
	if err != nil {
		return errors.Join(append(failed, err)...)
	}
	for _, dir := range []string{p.Config, p.Data, p.State, p.Log, p.Runtime, p.Cache} {
		failed = append(failed, removeAll(dir))
	}
	return errors.Join(failed...)
}

// forgetSystem removes what the engine of LocalSystem has kept. Without the rights of an administrator it does
// nothing.
func forgetSystem() error {
	if s, err := service.OpenMachine(); err == nil {
		return s.Close() // the service belongs to another installation
	}
	windowsFolder, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return err
	}
	// As home.Find returns them for LocalSystem.
	local := filepath.Join(windowsFolder, `System32\config\systemprofile\AppData\Local`)
	if _, err := os.Stat(local); err != nil {
		return nil // there is none, or it can't be seen
	}
	return errors.Join(removeAll(filepath.Join(local, "blendtray")), removeAll(filepath.Join(local, `cache\blendtray`)))
}
