//go:build !headless

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/app/settings"
	"blendtray/examples"
)

// firstTime says how far the first start has come. It is kept in a file, because a start may fail, or be
// cut off, before the engine watches the folder: then the next start goes on.
type firstTime struct {
	// Example is the path of the example that this program puts into the drop folder, or "" when it puts
	// none.
	Example string `json:"example"`
	// Put is true when the example is there, and Read when a person has read the first page.
	Put  bool `json:"put"`
	Read bool `json:"read"`
}

// readFirst returns how far the first start of a home has come. ok is false when there was none, or when
// the file can't be read: it may be half of a file on a disk that was full.
func readFirst(paths home.Paths) (first firstTime, ok bool) {
	text, err := os.ReadFile(paths.FirstFile())
	if err != nil || json.Unmarshal(text, &first) != nil {
		return firstTime{}, false
	}
	return first, true
}

// save keeps how far the first start has come.
func (f firstTime) save(paths home.Paths) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return home.Replace(paths.FirstFile(), text, 0o600, nil)
}

// changeFirst changes what is kept of the first start, which the tray and its window both do: what the other
// has kept meanwhile stays. change is called with what is there now, and ok as [readFirst] returns it, and
// returns false when there is nothing to change.
func changeFirst(paths home.Paths, change func(first *firstTime, ok bool) bool) error {
	ctx, stop := context.WithTimeout(context.Background(), firstLockTime)
	defer stop()
	lock := flock.New(paths.FirstFile() + ".lock")
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return fmt.Errorf("another program holds the lock %s: %w", lock.Path(), err)
	}
	defer lock.Unlock() // what fails here ends with the process
	first, ok := readFirst(paths)
	if !change(&first, ok) {
		return nil
	}
	return first.save(paths)
}

// firstLockTime is how long a change waits for another process that changes the same file.
const firstLockTime = 10 * time.Second

// firstStart makes a drop folder for a user who has chosen nothing yet. It returns the path of the
// example that is to be put there once the folder is watched, or "" when there is nothing to put: so
// the example runs as any save does, and what the folder had before does not. After a start that has not
// come so far, firstStart returns the example again.
func firstStart(paths home.Paths) (example string, err error) {
	first, began := readFirst(paths)
	if _, err := os.Stat(paths.SettingsFile()); !errors.Is(err, os.ErrNotExist) {
		if !began || first.Put || err != nil {
			return "", err
		}
		return first.toPut(paths)
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(user, "Blendtray")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make the drop folder: %w", err)
	}
	if !began {
		first.Example = filepath.Join(folder, "first_light.py")
		if _, err := os.Stat(first.Example); err == nil {
			first = firstTime{} // a person has it already, and may have changed it
		}
		// The settings come second: they would tell the next start that there was a first.
		if err := first.save(paths); err != nil {
			return "", fmt.Errorf("note the first start: %w", err)
		}
	}
	_, err = settings.New(settings.Config{Source: homeSource(paths), Lock: paths.SettingsLock()}).AddFolder(folder, nil)
	if err != nil || first.Put {
		return "", err
	}
	return first.toPut(paths)
}

// toPut returns the example that is not there yet, or "". What was put in a start that was cut off counts
// as put.
func (f firstTime) toPut(paths home.Paths) (string, error) {
	if f.Example == "" {
		return "", nil
	}
	if _, err := os.Stat(f.Example); err == nil {
		return "", notePut(paths, f.Example)
	}
	return f.Example, nil
}

// notePut notes that the example is there.
func notePut(paths home.Paths, example string) error {
	return changeFirst(paths, func(first *firstTime, _ bool) bool {
		first.Example, first.Put = example, true
		return true
	})
}

// putExample puts the example into the drop folder once the engine watches that folder. What it can't
// put, the next start does.
func putExample(ctx context.Context, h *house, example string) {
	watched := func() bool {
		return slices.ContainsFunc(h.front().Status().Folders, func(f api.FolderStatus) bool {
			return f.Method != "" && f.Path == filepath.Dir(example)
		})
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !watched() {
		if !slices.ContainsFunc(h.owner.Current().Folders, func(f api.FolderSettings) bool { return f.Path == filepath.Dir(example) }) {
			return // a person has taken the folder out of the settings
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
	if err := writeExample(h.paths, example); err != nil {
		h.logs.Logger.Warn("cannot put an example into the drop folder", "error", err)
	}
}

// writeExample writes the example, and notes that it is there. A file that has its name by now stays as it
// is: a person has put it there.
func writeExample(paths home.Paths, example string) error {
	there := errors.New("the file is there")
	err := home.Replace(example, examples.FirstLight, 0o644, func() error {
		if _, err := os.Lstat(example); err == nil {
			return there
		}
		return nil
	})
	if err != nil && !errors.Is(err, there) {
		return err
	}
	return notePut(paths, example)
}
