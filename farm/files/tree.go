package files

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxEntries is how many files a tree may have, and maxTree how many bytes its list.
	maxEntries = 500_000
	maxTree    = 256 << 20
	// maxName is how long the name of a file may be, as most systems have it.
	maxName = 1024
)

// Entry is a file of a tree.
type Entry struct {
	// Name is the path below the folder of the tree, with slashes.
	Name string `json:"name"`
	Blob
}

// Tree is a folder of files: each file once, sorted by name.
type Tree struct {
	Files []Entry `json:"files"`
}

// NewTree returns the tree of files, in any order. It fails as [Tree.check] does.
func NewTree(all []Entry) (Tree, error) {
	t := Tree{slices.Clone(all)}
	slices.SortFunc(t.Files, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	t.Files = slices.CompactFunc(t.Files, func(a, b Entry) bool { return a == b })
	return t, t.check(false)
}

// Encode returns the tree as the bytes of a file. Trees of the same files have the same bytes.
func (t Tree) Encode() ([]byte, error) { return json.Marshal(t) }

// DecodeTree reads what [Tree.Encode] has written, on a machine that is to have its files. It fails when
// the bytes are no tree, and when a name is not one that this machine may have.
func DecodeTree(data []byte) (Tree, error) {
	var t Tree
	if err := json.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("the list of files can't be read: %w", err)
	}
	return t, t.check(runtime.GOOS == "windows")
}

// Bytes returns how many bytes the files of the tree have, each content once.
func (t Tree) Bytes() (sum int64) {
	seen := map[Hash]bool{}
	for _, e := range t.Files {
		if !seen[e.Hash] {
			seen[e.Hash] = true
			sum += e.Size
		}
	}
	return sum
}

// check fails when the tree can't be that of a folder, or when a name leads out of the folder.
func (t Tree) check(windows bool) error {
	if len(t.Files) > maxEntries {
		return fmt.Errorf("%d files; there may be %d", len(t.Files), maxEntries)
	}
	seen := map[string]bool{}
	for _, e := range t.Files {
		if err := checkName(e.Name, windows); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		if seen[e.Name] {
			return fmt.Errorf("%s is there twice", e.Name)
		}
		seen[e.Name] = true
	}
	for _, e := range t.Files {
		for dir := parent(e.Name); dir != ""; dir = parent(dir) {
			if seen[dir] {
				return fmt.Errorf("%s is a file and a folder", dir)
			}
		}
	}
	return nil
}

// parent returns the folder of a name, or "".
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(0, i)]
}

// CheckName fails unless a name, which another machine has sent, is that of a file below a folder of this
// machine, whatever else it may be. A name with a backslash is refused on every system, since it is a
// different name on each.
func CheckName(name string) error { return checkName(name, runtime.GOOS == "windows") }

func checkName(name string, windows bool) error {
	refuse := func(why string) error { return fmt.Errorf("the name %q is refused: %s", name, why) }
	switch {
	case len(name) > maxName:
		return fmt.Errorf("the name %q… is refused: it is too long", name[:64])
	case !fs.ValidPath(name) || name == ".":
		return refuse("it is no relative path without . and ..")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == unicode.ReplacementChar || unicode.IsControl(r) }):
		return refuse("it has a backslash or a control character")
	case !filepath.IsLocal(filepath.FromSlash(name)):
		return refuse("it leads out of its folder")
	case !windows:
		return nil
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case strings.ContainsAny(part, `<>:"|?*`):
			return refuse("Windows has no such names")
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
			return refuse("Windows leaves out a dot or a space at the end")
		case isDevice(part):
			return refuse("it is a device of Windows")
		}
	}
	return nil
}

// isDevice reports whether Windows takes a name for that of a device, whatever its extension.
func isDevice(part string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(part), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	rest, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		rest, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && (len(rest) == 1 && rest[0] >= '0' && rest[0] <= '9' || rest == "¹" || rest == "²" || rest == "³")
}
