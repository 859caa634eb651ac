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

// markFile lies in an add-on that was installed here, and says what was installed.
const markFile = "blendtray.json"

// backups is the folder beside a folder of add-ons for what was replaced in it. Blender does
// not look for add-ons there.
const backups = ".blendtray-backups"

// mark is what is in the markFile.
type mark struct {
	Version string `json:"version"`
	// Loop is "auto", "proactor" or "posix", which the add-on reads.
	Loop string `json:"loop"`
	// Files are the SHA-256 of all files, by their names.
	Files map[string]string `json:"files"`
	// Replaced is where that lies which was there before and was somebody else's, or "".
	Replaced string `json:"replaced"`
	// Made are the folders that were made for it, innermost first.
	Made []string `json:"made"`
}

// State is how an add-on stands in a folder of add-ons.
type State string

// The states of an add-on.
const (
	Missing  State = "not installed"
	Current  State = "installed"
	Older    State = "older" // another version than this program has, or than it had
	Newer    State = "newer"
	Modified State = "modified" // installed here, and changed since
	Foreign  State = "foreign"  // not installed here
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

// ErrForeign is returned for an add-on of that name that was not installed here.
var ErrForeign = errors.New("there is another add-on of that name, which was not installed by Blendtray")

// ErrMissing is returned where there is nothing to uninstall.
var ErrMissing = errors.New("the add-on is not installed")

// Inspect returns how the add-on stands in dir, a folder of add-ons or an extension repository. It
// fails when what is there can't be read.
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
		return in, nil // that was not written here
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

// Install puts the add-on into dir and returns where what it replaced lies now, or "".
//
// What is there is exchanged in one step. A version that was installed here before goes; one
// that was changed since, and with replace an add-on of somebody else, is kept in a folder
// beside dir. Without replace the latter is an error, [ErrForeign]. Loop is "auto", "proactor"
// or "posix".
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

// Uninstall takes the add-on out of dir and puts back what it had replaced. One that was
// changed since is kept in a folder beside dir, which is returned. It fails with [ErrMissing]
// or [ErrForeign] when there is nothing of ours.
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
	// Those that others use by now stay.
	_ = os.Remove(filepath.Join(filepath.Dir(dir), backups))
	for _, made := range in.mark.Made {
		_ = os.Remove(made)
	}
	return kept, nil
}

// embedded are the hashes of the files that this program would install.
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

// hashes are those of the files below an installed add-on, but for what Python and the
// installer put there.
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

// backupName is a new name for what is replaced in dir, on the same file system.
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

// compareVersions is negative, 0 or positive as a is before, the same as or after b, by their
// numbers.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			_, _ = fmt.Sscan(x[i], &m) // 0 for what is no number
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
