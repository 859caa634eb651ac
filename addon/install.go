package addon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Name is the name of the add-on's folder and module.
const Name = "tcp_echo"

// markFile is the name of the file that Install writes into the add-on, with what it installed.
const markFile = "blendtray.json"

// backups is the name of the folder for replaced add-ons. It lies beside the folder of add-ons,
// where Blender does not look for add-ons.
const backups = ".blendtray-backups"

// mark is the content of the markFile.
type mark struct {
	Version string `json:"version"`
	// Loop is "auto", "proactor" or "posix", which the add-on reads.
	Loop string `json:"loop"`
	// Files are the SHA-256 hashes of all files, by the names of the files.
	Files map[string]string `json:"files"`
	// Replaced is the path where somebody else's add-on, which was here before, is kept, or "".
	Replaced string `json:"replaced"`
	// Made are the folders that Install made, innermost first.
	Made []string `json:"made"`
}

// State says whether an add-on is installed in a folder of add-ons, and which version.
type State string

// The states of an add-on.
const (
	Missing  State = "not installed"
	Current  State = "installed"
	Older    State = "older" // not this program's files, and not a newer version
	Newer    State = "newer"
	Modified State = "modified" // installed by this program, and changed since
	Foreign  State = "foreign"  // not installed by this program
)

// Installed is an add-on in a folder of add-ons.
type Installed struct {
	State   State
	Version string
	Loop    string
	// Path is the add-on's own folder.
	Path string
	mark mark
}

// ErrForeign is returned for an add-on of this name that this program has not installed.
var ErrForeign = errors.New("there is another add-on of that name, which was not installed by Blendtray")

// ErrMissing is returned where there is nothing to uninstall.
var ErrMissing = errors.New("the add-on is not installed")

// Inspect returns the state of the add-on in dir, a folder of add-ons or an extension repository.
// It fails when the add-on's files can't be read.
func Inspect(dir string) (Installed, error) {
	in := Installed{State: Missing, Path: filepath.Join(dir, Name)}
	info, err := os.Lstat(in.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	} else if err != nil {
		return in, fmt.Errorf("look for the add-on: %w", err)
	}
	in.State = Foreign
	if !info.IsDir() { // a link to somebody's sources, say
		return in, nil
	}
	text, err := os.ReadFile(filepath.Join(in.Path, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return in, nil
	} else if err != nil {
		return in, fmt.Errorf("look at the add-on: %w", err)
	}
	if err := json.Unmarshal(text, &in.mark); err != nil || in.mark.Files == nil {
		return in, nil // this program has not written that file
	}
	in.Version, in.Loop = in.mark.Version, in.mark.Loop
	there, err := hashes(in.Path)
	if err != nil {
		return in, fmt.Errorf("look at the add-on: %w", err)
	}
	switch {
	case !maps.Equal(there, in.mark.Files):
		in.State = Modified
	case maps.Equal(there, embedded()):
		in.State = Current
	case compareVersions(in.Version, Version()) > 0:
		in.State = Newer
	default:
		in.State = Older
	}
	return in, nil
}

// Install puts the add-on into dir. It returns where it keeps the add-on that it replaced, or "".
//
// The add-on that is there is exchanged in one step. A version that this program has installed is
// removed. A version that was changed after its installation is kept in a folder beside dir, and
// so is, with replace, an add-on of somebody else. Without replace, an add-on of somebody else is
// an error, [ErrForeign]. Loop is "auto", "proactor" or "posix".
func Install(dir, loop string, replace bool) (kept string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	before, err := Inspect(dir)
	if err != nil {
		return "", err
	}
	if before.State == Foreign && !replace {
		return "", fmt.Errorf("%s: %w", before.Path, ErrForeign)
	}
	m := mark{Version: Version(), Loop: loop, Files: embedded(), Replaced: before.mark.Replaced, Made: before.mark.Made}
	if before.State == Missing || before.State == Foreign {
		if m.Made, err = makeDirs(dir); err != nil {
			return "", fmt.Errorf("make the folder for the add-on: %w", err)
		}
	}
	keep := before.State == Modified || before.State == Foreign
	if keep {
		if kept, err = backupName(dir); err != nil {
			return "", err
		}
	}
	if before.State == Foreign {
		m.Replaced = kept
	}
	fresh, err := write(dir, m)
	if err != nil {
		return "", fmt.Errorf("write the add-on: %w", err)
	}
	defer os.RemoveAll(fresh) // renamed, or of no use
	aside := kept
	if !keep && before.State != Missing {
		aside = fresh + ".old"
	}
	if aside != "" {
		if err := os.Rename(before.Path, aside); err != nil {
			return "", fmt.Errorf("move the old add-on aside: %w", err)
		}
	}
	if err := os.Rename(fresh, before.Path); err != nil {
		if aside != "" {
			err = errors.Join(err, os.Rename(aside, before.Path))
		}
		return "", fmt.Errorf("put the add-on in its place: %w", err)
	}
	if aside != "" && !keep {
		if err := os.RemoveAll(aside); err != nil {
			return "", fmt.Errorf("remove the old add-on: %w", err)
		}
	}
	return kept, nil
}

// Uninstall removes the add-on from dir and puts back the add-on that it had replaced. An add-on
// that was changed after its installation is kept in a folder beside dir, and its new path is
// returned. Uninstall fails with [ErrMissing] or [ErrForeign] when this program has installed
// nothing in dir.
func Uninstall(dir string) (kept string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	in, err := Inspect(dir)
	switch {
	case err != nil:
		return "", err
	case in.State == Missing:
		return "", ErrMissing
	case in.State == Foreign:
		return "", fmt.Errorf("%s: %w", in.Path, ErrForeign)
	}
	aside := filepath.Join(dir, "."+Name+".old")
	if in.State == Modified {
		if kept, err = backupName(dir); err != nil {
			return "", err
		}
		aside = kept
	} else if err := os.RemoveAll(aside); err != nil {
		return "", err
	}
	if err := os.Rename(in.Path, aside); err != nil {
		return "", fmt.Errorf("take the add-on away: %w", err)
	}
	if in.mark.Replaced != "" {
		if err := os.Rename(in.mark.Replaced, in.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return kept, fmt.Errorf("put back what was there before: %w", err)
		}
	}
	if kept == "" {
		if err := os.RemoveAll(aside); err != nil {
			return "", fmt.Errorf("remove the add-on: %w", err)
		}
	}
	// Folders that are not empty, because others use them by now, stay.
	_ = os.Remove(filepath.Join(filepath.Dir(dir), backups))
	for _, made := range in.mark.Made {
		_ = os.Remove(made)
	}
	return kept, nil
}

// embedded returns the hashes of the files that this program installs.
func embedded() map[string]string {
	all := map[string]string{}
	entries, err := fs.ReadDir(files, Name)
	if err != nil {
		panic(err) // it is embedded
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(files, Name+"/"+entry.Name())
		if err != nil {
			panic(err)
		}
		all[entry.Name()] = hashOf(content)
	}
	return all
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// hashes returns the hashes of the files of an installed add-on, without the files that Python and
// Install have added.
func hashes(dir string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "__pycache__":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == markFile {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(name)] = hashOf(content)
		return nil
	})
	return all, err
}

// write makes the add-on in a new folder in dir, under a name that Blender does not load.
func write(dir string, m mark) (fresh string, err error) {
	fresh, err = os.MkdirTemp(dir, "."+Name+"-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(fresh) // the error came before it
		}
	}()
	if err := os.Chmod(fresh, 0o755); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		content, err := fs.ReadFile(files, Name+"/"+name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(fresh, name), content, 0o644); err != nil {
			return "", err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return "", err
	}
	return fresh, os.WriteFile(filepath.Join(fresh, markFile), append(text, '\n'), 0o644)
}

// makeDirs makes a folder with its parents and returns those that were missing, innermost
// first.
func makeDirs(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	return made, os.MkdirAll(dir, 0o755)
}

// backupName returns a new path, on the same file system, for an add-on that is replaced in dir.
func backupName(dir string) (string, error) {
	folder := filepath.Join(filepath.Dir(dir), backups)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("make a folder for what is replaced: %w", err)
	}
	name := filepath.Join(folder, Name+"-"+time.Now().UTC().Format("20060102T150405.000000Z"))
	if _, err := os.Lstat(name); err == nil {
		return "", fmt.Errorf("%s is there already", name)
	}
	return name, nil
}

// compareVersions compares the numbers of two versions. It returns a negative number when a is
// before b, 0 when they are the same, and a positive number when a is after b.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			_, _ = fmt.Sscan(x[i], &m) // 0 where there is no number
		}
		if i < len(y) {
			_, _ = fmt.Sscan(y[i], &n)
		}
		if m != n {
			return m - n
		}
	}
	return 0
}
