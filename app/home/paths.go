// Package home knows where the program keeps its files, and looks after the files that belong
// to no other part: the lock of the engine, the ports of its Blenders, and the logs. It knows nothing of what
// settings, runs and commands mean.
//
// [Find] returns the [Paths] of the user, [Paths.Make] makes the folders. [LockEngine] makes this
// process the engine of the user, [EngineAddress] returns where to ask the engine that runs.
// [Paths.OpenDoor] tells the user's programs how to reach a Blender, [OpenLogs] opens the log files,
// and [Replace] writes a file that nobody ever reads half.
package home

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/adrg/xdg"

	"blendtray/api"
)

// Paths are the folders in which the program keeps its files. This file is the only place that
// knows where things lie on disk.
type Paths struct {
	// Config holds what a person writes: settings.toml.
	Config string
	// Data holds what must not be lost, the runs, and how Blenders are reached.
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

// Find returns where the files of this user lie: below BLENDTRAY_HOME when that is set, else
// where the system wants them (XDG on Linux, its like elsewhere). Find makes no folder.
func Find() (Paths, error) {
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
	// In a session without systemd the variable may name a runtime folder that does not exist. After
	// su it may name the runtime folder of another user, and it may name a folder for all, such as /tmp, in which
	// others can take every name.
	if info, err := os.Stat(xdg.RuntimeDir); err != nil || !info.IsDir() || !ownedByUser(info) {
		runtime = filepath.Join(state, "run")
	}
	return Paths{
		Config: filepath.Join(xdg.ConfigHome, name), Data: filepath.Join(xdg.DataHome, name), State: state,
		Log: filepath.Join(state, "log"), Runtime: runtime, Cache: filepath.Join(xdg.CacheHome, name),
	}, nil
}

// Make makes the folders that are missing, for the user alone. Folders that exist keep their mode, except
// that Make takes the right to write from others, and closes Data and Runtime to them. It fails for a
// folder that belongs to another user, who could put there what runs as this user.
func (p Paths) Make() error {
	for _, dir := range []string{p.Data, p.State, p.Log, p.Runtime, p.Cache, p.Blenders()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the program's folders: %w", err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !trustedOwner(info) {
			return fmt.Errorf("%s belongs to another user, who could have code run as you", dir)
		}
		open := fs.FileMode(0o022)
		if dir == p.Data || dir == p.Runtime {
			open = 0o077
		}
		if info.Mode().Perm()&open == 0 {
			continue
		}
		if err := os.Chmod(dir, info.Mode().Perm()&^open); err != nil {
			return fmt.Errorf("%s is open to others, and its owner has to close it (chmod go-w): %w", dir, err)
		}
	}
	return nil
}

// Own returns the folders that hold the files of the engine, which no person has saved.
func (p Paths) Own() []string {
	return []string{p.Config, p.Data, p.State, p.Log, p.Runtime, p.Cache}
}

// SettingsFile is the file of the settings.
func (p Paths) SettingsFile() string { return filepath.Join(p.Config, "settings.toml") }

// SettingsLock is the file by which the processes of this home change the settings one after the
// other.
func (p Paths) SettingsLock() string { return filepath.Join(p.State, "settings.lock") }

// Database is the file of the runs.
func (p Paths) Database() string { return filepath.Join(p.Data, "runs.db") }

// Journals is the folder of the journals of the runs that are running.
func (p Paths) Journals() string { return filepath.Join(p.Data, "journals") }

// Ports is the folder of the files that say how other programs of the user reach a Blender.
func (p Paths) Ports() string { return filepath.Join(p.Data, "ports") }

// DoorFile is the file that says how the Blender with a name is reached, while it listens.
func (p Paths) DoorFile(blender string) string {
	return filepath.Join(p.Ports(), url.PathEscape(blender)+".json")
}

// OpenBlenders is the folder in which each Blender with a window writes how it can be reached.
func (p Paths) OpenBlenders() string { return filepath.Join(p.Data, "windows") }

// Flamenco is the file of the credentials for a manager of Flamenco, by the manager's URL.
func (p Paths) Flamenco(manager string) string {
	return filepath.Join(p.Data, "flamenco", url.QueryEscape(manager)+".json")
}

// Debugger is the folder in which debugpy may lie, for `blendtray run --debug`.
func (p Paths) Debugger() string { return filepath.Join(p.Data, "debugpy") }

// EngineLog is the log of the engine.
func (p Paths) EngineLog() string { return filepath.Join(p.Log, "engine.log") }

// BlenderLog is the log of everything that the Blender with a name prints; "" is the default Blender. A dot
// stands before the name: behind a dash stands the time at which a full log was put aside.
func (p Paths) BlenderLog(name string) string {
	if name == "" || name == api.DefaultBlender {
		return filepath.Join(p.Log, "blender.log")
	}
	return filepath.Join(p.Log, "blender."+url.PathEscape(name)+".log")
}

// BlenderLogs returns the names of the Blenders that have a log, the default Blender first.
func (p Paths) BlenderLogs() (names []string) {
	found, _ := filesIn(p.Log, "blender.", ".log") // without a folder there is none
	for _, path := range found {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "blender."), ".log")
		if name, err := url.PathUnescape(name); err == nil && p.BlenderLog(name) == path && !putAside.MatchString(name) {
			names = append(names, name)
		}
	}
	return append([]string{api.DefaultBlender}, names...)
}

// Entries returns the paths of the files of a kind that are in a folder, whose names end in ending. There
// are none in a folder that does not exist. Unlike [filepath.Glob] it takes a folder with any name.
func Entries(dir, ending string) ([]string, error) { return filesIn(dir, "", ending) }

// filesIn returns what in a folder has a name that begins and ends so.
func filesIn(dir, beginning, ending string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, beginning) && strings.HasSuffix(name, ending) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, err
}

// putAside matches the end of the name of a log that was put aside because it was full.
var putAside = regexp.MustCompile(`-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d`)

// ServiceLog is the log of the service on systems that keep no log of what a service prints.
func (p Paths) ServiceLog() string { return filepath.Join(p.Log, "service.log") }

// FarmMembership is the file with the key and the card by which this home is a member of a farm.
func (p Paths) FarmMembership() string { return filepath.Join(p.Data, "farm", "membership.json") }

// FarmLeaving is the folder of the memberships that this home is giving up.
func (p Paths) FarmLeaving() string { return filepath.Join(p.Data, "farm", "leaving") }

// FarmHeld is the folder of the jobs that this home has taken from the farm.
func (p Paths) FarmHeld() string { return filepath.Join(p.Data, "farm", "held") }

// FarmServer is the folder of the server of a farm: its streams and its key.
func (p Paths) FarmServer() string { return filepath.Join(p.Data, "farm", "server") }

// HasFarmServer reports whether the home has the server of a farm, running or not.
func HasFarmServer(p Paths) bool {
	_, err := os.Stat(p.FarmServer())
	return err == nil
}

// FarmNATS is the folder for the configuration of a NATS server of the user's own.
func (p Paths) FarmNATS() string { return filepath.Join(p.Data, "farm", "nats") }

// FarmAdministrator is the file with the key of the administrator of a farm.
func (p Paths) FarmAdministrator() string { return filepath.Join(p.Data, "farm", "administrator.key") }

// FarmMembers is the file of the names and the keys of those whom the administrator has admitted.
func (p Paths) FarmMembers() string { return filepath.Join(p.Data, "farm", "members.json") }

// FarmRemoved is the file of the keys of those who are members no more.
func (p Paths) FarmRemoved() string { return filepath.Join(p.Data, "farm", "removed.json") }

// FarmFiles is the folder of the files of jobs that this home has fetched from the farm.
func (p Paths) FarmFiles() string { return filepath.Join(p.Cache, "farm", "files") }

// FarmAttempts is the folder of what jobs of the farm make, until it is sent.
func (p Paths) FarmAttempts() string { return filepath.Join(p.Cache, "farm", "attempts") }

// FarmCopies is the folder of copies of .blend files with relative paths.
func (p Paths) FarmCopies() string { return filepath.Join(p.Cache, "farm", "copies") }

// Tray is the folder of the socket by which a second tray reaches the first.
func (p Paths) Tray() string { return filepath.Join(p.Runtime, "tray") }

// WindowFile is the file in which a window keeps for the next window where the person was.
func (p Paths) WindowFile() string { return filepath.Join(p.State, "window.json") }

// Kept is the file in which a window keeps something else for the next window, under a name.
func (p Paths) Kept(name string) string { return filepath.Join(p.State, name) }

// FirstFile is the file that says how far the first start has come.
func (p Paths) FirstFile() string { return filepath.Join(p.State, "first.json") }

// Blenders is the folder for the files of the Blenders that the engine starts.
func (p Paths) Blenders() string { return filepath.Join(p.Cache, "blenders") }

// Previews is the folder of the pictures that are drawn after runs.
func (p Paths) Previews() string { return filepath.Join(p.Cache, "previews") }

// Thumbnails is the folder of the thumbnails of outputs.
func (p Paths) Thumbnails() string { return filepath.Join(p.Cache, "thumbnails") }

// Reference is the folder of the Python APIs of Blenders.
func (p Paths) Reference() string { return filepath.Join(p.Cache, "api") }

// ThumbnailBlender is the folder for the files of the Blender that makes thumbnails.
func (p Paths) ThumbnailBlender() string { return filepath.Join(p.Cache, "thumbnailer") }

// Checkpoints is the folder of the copies of the scenes of sessions.
func (p Paths) Checkpoints() string { return filepath.Join(p.Cache, "checkpoints") }

// Opened is the folder of the copies of scenes that were opened in a Blender with a window.
func (p Paths) Opened() string { return filepath.Join(p.Cache, "opened") }

// engineLock is the file that the engine locks. Windows lets no other process read a locked
// file, so the engine writes down who it is in engineHolder.
func (p Paths) engineLock() string { return filepath.Join(p.State, "engine.lock") }

func (p Paths) engineHolder() string { return filepath.Join(p.State, "engine.json") }

func (p Paths) trayLock() string { return filepath.Join(p.State, "tray.lock") }
