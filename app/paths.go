package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
)

// Paths are the folders in which the program keeps its files. This file is the one place that
// knows where things lie on disk.
type Paths struct {
	// Config holds what a person writes: settings.toml.
	Config string
	// Data holds what must not be lost: the runs, and the token.
	Data string
	// State holds the lock of the engine.
	State string
	// Log holds the log files.
	Log string
	// Runtime holds the socket, for as long as the engine runs.
	Runtime string
	// Cache holds what can be made again: the unpacked add-on, Blender's temporary files.
	Cache string
}

// FindPaths is where the files of this user lie: below BLENDTRAY_HOME when that is set, else
// where the system wants them (XDG on Linux, its like elsewhere). It makes nothing.
func FindPaths() (Paths, error) {
	if home := os.Getenv("BLENDTRAY_HOME"); home != "" {
		home, err := filepath.Abs(home)
		if err != nil {
			return Paths{}, fmt.Errorf("BLENDTRAY_HOME: %w", err)
		}
		return Paths{
			Config: home, Data: home, State: home,
			Log: filepath.Join(home, "log"), Runtime: filepath.Join(home, "run"), Cache: filepath.Join(home, "cache"),
		}, nil
	}
	if _, err := os.UserHomeDir(); err != nil {
		return Paths{}, fmt.Errorf("no home folder: %w; set BLENDTRAY_HOME to a folder for Blendtray's files", err)
	}
	xdg.Reload() // the environment may have changed since the process began
	const name = "blendtray"
	state := filepath.Join(xdg.StateHome, name)
	runtime := filepath.Join(xdg.RuntimeDir, name)
	// A session without systemd may have a name of a runtime folder, but no folder.
	if info, err := os.Stat(xdg.RuntimeDir); err != nil || !info.IsDir() {
		runtime = filepath.Join(state, "run")
	}
	return Paths{
		Config: filepath.Join(xdg.ConfigHome, name), Data: filepath.Join(xdg.DataHome, name), State: state,
		Log: filepath.Join(state, "log"), Runtime: runtime, Cache: filepath.Join(xdg.CacheHome, name),
	}, nil
}

func settingsFile(p Paths) string { return filepath.Join(p.Config, "settings.toml") }

func databaseFile(p Paths) string { return filepath.Join(p.Data, "runs.db") }

func tokenFile(p Paths) string { return filepath.Join(p.Data, "token") }

// makeFolders makes the folders that are missing, open to the user alone. Those that are
// there are left as they are but for Data and Runtime, which others must not enter.
func makeFolders(p Paths) error {
	for _, dir := range []string{p.Data, p.State, p.Log, p.Runtime, p.Cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the program's folders: %w", err)
		}
	}
	for _, dir := range []string{p.Data, p.Runtime} {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("%s is open to others and can't be closed: %w", dir, err)
		}
	}
	return nil
}
