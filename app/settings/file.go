package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"blendtray/api"
	"blendtray/app/home"
)

// editing lets one edit of this process follow the other.
var editing sync.Mutex

// lockTime is how long an edit waits for another process that changes the settings.
const lockTime = 10 * time.Second

// edit changes the file of the settings by way of its text; a file that does not exist is empty.
// The file is replaced as a whole, or, when it is a link, what it leads to. lock is a file by
// which the processes of one home wait for each other, or "".
//
// edit returns the new text and the settings that it means. It fails, and leaves the file as it
// was, when the file can't be read or written, when change fails, when the new text would be
// wrong, and when another program has changed the file meanwhile.
func (s Source) edit(lock string, change func([]byte) ([]byte, error)) ([]byte, Loaded, error) {
	editing.Lock()
	defer editing.Unlock()
	if lock != "" {
		unlock, err := lockSettings(lock)
		if err != nil {
			return nil, Loaded{}, err
		}
		defer unlock()
	}
	target, err := followLinks(s.File)
	if err != nil {
		return nil, Loaded{}, fmt.Errorf("change the settings: %w", err)
	}
	before, mode, err := readForEdit(target)
	if err != nil {
		return nil, Loaded{}, fmt.Errorf("change the settings: %w", err)
	}
	after, err := change(slices.Clone(before))
	if err != nil {
		return nil, Loaded{}, s.changeFailed(before, err)
	}
	loaded, err := s.parse(after)
	if err != nil {
		return nil, loaded, s.wouldBeWrong(before, err)
	}
	if bytes.Equal(before, after) {
		return after, loaded, nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return nil, loaded, fmt.Errorf("change the settings: %w", err)
	}
	err = home.Replace(target, after, mode, func() error {
		now, _, err := readForEdit(target)
		if err == nil && !bytes.Equal(now, before) {
			err = fmt.Errorf("another program has changed %s meanwhile; try again", target)
		}
		return err
	})
	if err != nil {
		return nil, loaded, fmt.Errorf("change the settings: %w", err)
	}
	return after, loaded, nil
}

// changeFailed returns an error that says why a text could not be changed: because it is wrong
// already, or because of what was asked for.
func (s Source) changeFailed(before []byte, err error) error {
	if _, old := s.parse(before); old != nil {
		return refuse(api.ErrSettingsBroken, "the settings are wrong already, and have to be put right before they can be changed: %w", old)
	}
	var told *refusal
	if errors.As(err, &told) {
		return err
	}
	return refuse(api.ErrFixed, "change the settings: %w", located(s.File, err))
}

// wouldBeWrong returns an error that says that a new text would be wrong, or that the old text is.
func (s Source) wouldBeWrong(before []byte, err error) error {
	if _, old := s.parse(before); old != nil {
		return refuse(api.ErrSettingsBroken, "the settings are wrong already, and have to be put right before they can be changed: %w", old)
	}
	return refuse(api.ErrBad, "the settings stay as they are, since the change would make them wrong: %w", err)
}

// lockSettings waits until no other process changes the settings of this home.
func lockSettings(file string) (unlock func(), err error) {
	ctx, stop := context.WithTimeout(context.Background(), lockTime)
	defer stop()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("change the settings: %w", err)
	}
	lock := flock.New(file)
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("change the settings: %w", err)
		}
		return nil, fmt.Errorf("change the settings: another program is changing them, and holds the lock %s: %w", file, err)
	}
	return func() { _ = lock.Unlock() }, nil // what fails here ends with the process
}

// followLinks returns the file that a path leads to in the end, which need not exist.
func followLinks(file string) (string, error) {
	all, err := links(file)
	if err != nil {
		return "", err
	}
	return all[len(all)-1], nil
}

// links returns a file and, if it is a link, what it leads to, link after link.
func links(file string) ([]string, error) {
	all := []string{file}
	for range 40 { // as many as Linux follows
		link, err := os.Readlink(file)
		if err != nil {
			return all, nil // it is no link, or nothing; whoever reads it will see
		}
		if !filepath.IsAbs(link) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(file))
			if err != nil {
				return nil, err
			}
			// Not joined: that would take .. for the folder above a link.
			link = dir + string(filepath.Separator) + link
		}
		file = link
		all = append(all, file)
	}
	return nil, fmt.Errorf("%s is a link to a link, and so on without an end", all[0])
}

// readForEdit returns the text of a file and the mode that a new file is to have. A file that
// does not exist is empty; one that may not be written is an error.
func readForEdit(file string) ([]byte, fs.FileMode, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0o600, nil
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, 0, err
	}
	if info.Mode().Perm()&0o200 == 0 {
		return nil, 0, fmt.Errorf("%s may not be written, as its mode says", file)
	}
	return text, info.Mode().Perm(), nil
}

// refusal is an error that is one of api's, but has words of its own.
type refusal struct {
	kind error
	err  error
}

// refuse returns an error of a kind that api names. The format may wrap an error with %w.
func refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Errorf(format, args...)}
}

// Error returns the words alone.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap returns the kind and what was wrapped.
func (r *refusal) Unwrap() []error { return []error{r.kind, r.err} }
