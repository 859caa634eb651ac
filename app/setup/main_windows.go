// Command setup does for the installer of Windows what NSIS can't: it ends the programs of a folder
// without losing their run, starts them again as they were, and changes PATH, which is longer than what
// NSIS can hold.
//
//	setup end FILE FOLDER [FOLDER]  ends every Blendtray from the folders, writes to FILE what ran, and
//	                                prints "ran" when something did
//	setup again FILE FOLDER         starts again what FILE tells of, with the programs in the folder
//	setup leave FOLDER              removes the services that start a program of the folder
//	setup path add|remove FOLDER [machine]
//	setup forget                    removes the settings, runs and logs of this user
package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows/registry"

	"blendtray/app/home"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "end":
		return end(args[1], args[2:])
	case len(args) == 3 && args[0] == "again":
		return again(args[1], args[2])
	case len(args) == 2 && args[0] == "leave":
		return leave(args[1])
	case len(args) >= 3 && args[0] == "path":
		change := map[string]func(list, folder string) string{"add": with, "remove": without}[args[1]]
		if change != nil {
			return changePath(change, args[2], len(args) > 3)
		}
	case len(args) == 1 && args[0] == "forget":
		return forget()
	}
	return errors.New("usage: setup end FILE FOLDER… | again FILE FOLDER | leave FOLDER | path add|remove FOLDER [machine] | forget")
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
