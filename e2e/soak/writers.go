//go:build linux

package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// writer is a way in which programs save a file.
type writer struct {
	name   string
	weight int
	// save saves code at path, on which nobody else works meanwhile.
	save func(j *errand) error
	// onlyNew is true for a way that makes a new file, and onlyOld for one that changes a file.
	onlyNew, onlyOld bool
	// other is true for a program of another user, which writes only into the folder for that.
	other bool
}

// errand is one save to make.
type errand struct {
	place *place
	rng   *rand.Rand // of this errand alone
	gap   time.Duration
	path  string
	token string
	code  []byte
	old   string // the token that the file has before, for a writer that changes a file
}

var writers = []writer{
	{name: "in place", weight: 20, save: inPlace},
	{name: "temporary file and rename", weight: 15, save: byRename},
	{name: "as vim", weight: 10, save: asVim, onlyOld: true},
	{name: "cp", weight: 8, save: byCommand("cp")},
	{name: "mv", weight: 6, save: byCommand("mv")},
	{name: "rsync", weight: 6, save: byCommand("rsync")},
	{name: "shell", weight: 6, save: byShell},
	{name: "sed -i", weight: 6, save: bySed, onlyOld: true},
	{name: "unzip", weight: 4, save: byUnzip},
	{name: "link", weight: 5, save: byLink, onlyNew: true},
	{name: "mmap", weight: 4, save: byMmap},
	{name: "git pull", weight: 2, save: byGit, onlyNew: true},
	{name: "new folder", weight: 4, save: inNewFolder, onlyNew: true},
	{name: "folder moved in", weight: 4, save: withFolder, onlyNew: true},
	{name: "another user, in place", weight: 8, save: byOther(`%s > "$path"`), other: true},
	{name: "another user, temporary file and rename", weight: 4, save: byOther(`%s > "$path.part"; mv "$path.part" "$path"`), other: true},
	{name: "another user, cp", weight: 4, save: byOther(`%s > "$path.part"; cp "$path.part" "$path"; rm "$path.part"`), other: true},
}

// pick returns a writer for a file that is there already, in the folder of the other user or not, or
// for a new file, which the other user makes only where there is one.
func pick(rng *rand.Rand, isNew, ofOther bool) writer {
	fits := func(w writer) bool {
		return !(isNew && (w.onlyOld || w.other && !ofOther) || !isNew && (w.onlyNew || w.other != ofOther))
	}
	all := 0
	for _, w := range writers {
		if fits(w) {
			all += w.weight
		}
	}
	at := rng.IntN(all)
	for _, w := range writers {
		if fits(w) {
			if at -= w.weight; at < 0 {
				return w
			}
		}
	}
	panic("the weights do not add up")
}

// pause stands for a writer that is slow: mostly not at all.
func (j *errand) pause() { time.Sleep(j.pauseFor()) }

// pauseFor returns how long a writer pauses in the middle of a file.
func (j *errand) pauseFor() time.Duration {
	switch n := j.rng.IntN(100); {
	case n < 80:
		return 0
	case n < 95:
		return time.Duration(j.rng.Int64N(int64(min(100*time.Millisecond, j.gap) + 1)))
	}
	return time.Duration(j.rng.Int64N(int64(j.gap) + 1))
}

// write writes the code into a new or truncated file, in up to three pieces.
func (j *errand) write(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rest := j.code
	for pieces := 1 + j.rng.IntN(3); pieces > 1; pieces-- {
		n := j.rng.IntN(len(rest) + 1)
		if _, err := f.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		j.pause()
	}
	_, err = f.Write(rest)
	return err
}

// prepared writes the code into a file outside the watched folders, and returns its path.
func (j *errand) prepared() (string, error) {
	path := filepath.Join(j.place.outside, j.token)
	return path, os.WriteFile(path, j.code, 0o600)
}

func inPlace(j *errand) error { return j.write(j.path) }

func byRename(j *errand) error {
	temp := filepath.Join(filepath.Dir(j.path), "."+j.token+".tmp")
	if err := j.write(temp); err != nil {
		return err
	}
	return os.Rename(temp, j.path)
}

func asVim(j *errand) error {
	if err := os.Rename(j.path, j.path+"~"); err != nil {
		return err
	}
	if err := j.write(j.path); err != nil {
		return err
	}
	return os.Remove(j.path + "~")
}

// command runs a program to its end.
func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

func byCommand(name string) func(*errand) error {
	return func(j *errand) error {
		from, err := j.prepared()
		if err != nil {
			return err
		}
		return command(name, from, j.path)
	}
}

func byShell(j *errand) error {
	from, err := j.prepared()
	if err != nil {
		return err
	}
	return command("sh", "-c", `{ head -c 20 "$0"; tail -c +21 "$0"; } > "$1"`, from, j.path)
}

func bySed(j *errand) error { return command("sed", "-i", "s/"+j.old+"/"+j.token+"/g", j.path) }

func byUnzip(j *errand) error {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.Create(filepath.Base(j.path))
	if err == nil {
		_, err = f.Write(j.code)
	}
	file := filepath.Join(j.place.outside, j.token+".zip")
	if err := errors.Join(err, z.Close(), os.WriteFile(file, archive.Bytes(), 0o600)); err != nil {
		return err
	}
	return command("unzip", "-qo", file, "-d", filepath.Dir(j.path))
}

func byLink(j *errand) error {
	from, err := j.prepared()
	if err != nil {
		return err
	}
	return os.Link(from, j.path)
}

func byMmap(j *errand) (err error) {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(int64(len(j.code))); err != nil {
		return err
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, len(j.code), syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	j.pause()
	copy(memory, j.code)
	return syscall.Munmap(memory)
}

// repository is a clone in the watched folder, and the one where its commits are made.
var repository struct {
	sync.Mutex
	made bool
}

// git calls git in a folder, with an author.
func git(dir string, args ...string) error {
	return command("git", append([]string{"-C", dir, "-c", "user.name=soak", "-c", "user.email=soak@localhost", "-c", "init.defaultBranch=main"}, args...)...)
}

// byGit commits the script elsewhere and pulls it into a clone, where its path is.
func byGit(j *errand) error {
	repository.Lock()
	defer repository.Unlock()
	author, clone := filepath.Join(j.place.outside, "author"), filepath.Dir(j.path)
	if !repository.made {
		if err := errors.Join(os.MkdirAll(author, 0o700), git(author, "init", "-q"), git(author, "commit", "-q", "--allow-empty", "-m", "first"), command("git", "clone", "-q", author, clone)); err != nil {
			return err
		}
		repository.made = true
	}
	name := filepath.Base(j.path)
	if err := os.WriteFile(filepath.Join(author, name), j.code, 0o600); err != nil {
		return err
	}
	return errors.Join(git(author, "add", name), git(author, "commit", "-q", "-m", j.token), git(clone, "pull", "-q"))
}

// inNewFolder makes the folder of the path, and saves the script there at once.
func inNewFolder(j *errand) error {
	if err := os.Mkdir(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	return j.write(j.path)
}

// withFolder moves a folder with the script in it to where it is watched.
func withFolder(j *errand) error {
	made := filepath.Join(j.place.outside, "folder-"+j.token)
	if err := os.Mkdir(made, 0o700); err != nil {
		return err
	}
	if err := j.write(filepath.Join(made, filepath.Base(j.path))); err != nil {
		return err
	}
	return os.Rename(made, filepath.Dir(j.path))
}

// byOther returns a way in which a program of another user saves. The script is for sh: the path is in
// it, and %s stands for what prints the code, which pauses in the middle as the other writers do.
func byOther(script string) func(*errand) error {
	script = fmt.Sprintf(script, `{ head -c "$half"; sleep "$pause"; cat; }`)
	return func(j *errand) error {
		half := j.rng.IntN(len(j.code) + 1)
		cmd := j.place.asOther("sh", "-ec", script)
		cmd.Env = append(os.Environ(), "path="+j.path, fmt.Sprintf("half=%d", half), fmt.Sprintf("pause=%g", j.pauseFor().Seconds()))
		cmd.Stdin = bytes.NewReader(j.code)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
}
