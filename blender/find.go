package blender

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"blendtray/api"
)

// Found is one Blender that was found, or was looked for in the settings and not found.
type Found struct {
	Path string `json:"path"`
	// Version is the version that the program reports, "" when Error is set.
	Version string `json:"version"`
	// Source says in words where the Blender was found.
	Source string `json:"source"`
	// Error says why the Blender can't be used, "" when it can.
	Error string `json:"error"`
	// err is the error of which Error is the text.
	err error
}

// ErrNotFound is returned when no Blender is found.
var ErrNotFound = errors.New("no Blender was found")

// place is a path or a pattern of paths where a Blender may be.
type place struct{ pattern, source string }

// Find returns the Blenders that it finds: the configured path, the PATH, and the places where each
// system keeps its programs. It asks each program for its version. A configured Blender comes first
// in any case. The others follow, the newest first, and last those that can't be used. A path that
// leads to the same file as an earlier path is left out. Find fails only when ctx ends.
func Find(ctx context.Context, configured string) ([]Found, error) {
	found := candidates(configured)
	var asking sync.WaitGroup
	for i := range found {
		asking.Go(func() {
			version, err := Version(ctx, found[i].Path)
			if err != nil {
				found[i].Error, found[i].err = err.Error(), err
			}
			found[i].Version = version
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rest := found
	if configured != "" {
		rest = found[1:]
	}
	slices.SortStableFunc(rest, func(a, b Found) int {
		return cmp.Or(cmp.Compare(len(a.Error), 0)-cmp.Compare(len(b.Error), 0), Newer(a.Version, b.Version))
	})
	return found, nil
}

// Paths returns the paths of the programs that [Find] would ask, in no useful order. It starts none of them.
func Paths(configured string) []string {
	found := candidates(configured)
	paths := make([]string, len(found))
	for i, f := range found {
		paths[i] = f.Path
	}
	return paths
}

// candidates returns the programs that may be Blenders, the configured first.
func candidates(configured string) []Found {
	var found []Found
	seen := map[string]bool{}
	add := func(path, source string) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path // there is no such file, and the question for the version will fail
		}
		// Snap has one program for all its applications, told apart by the link's name.
		if filepath.Base(real) == "snap" {
			real = path
		}
		if !seen[real] {
			seen[real] = true
			found = append(found, Found{Path: path, Source: source})
		}
	}
	if configured != "" {
		add(configuredPath(configured), "the settings")
	}
	for _, path := range onPath() {
		add(path, "PATH")
	}
	for _, p := range places() {
		matches, err := filepath.Glob(p.pattern)
		if err != nil {
			continue // the brackets in this path make no pattern, so it names no file here
		}
		for _, path := range matches {
			add(path, p.source)
		}
	}
	return found
}

// onPath returns the paths of the Blenders in the folders of the PATH, in the order of the PATH.
func onPath() []string {
	var all []string
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(folder) {
			continue // a program from the current folder is not trusted
		}
		for _, name := range programNames {
			if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
				all = append(all, path)
			}
		}
	}
	return all
}

// libraryPath matches the path of a library in Steam's list of libraries.
var libraryPath = regexp.MustCompile(`(?m)^\s*"path"\s+"((?:[^"\\]|\\.)*)"`)

// steamPlaces returns the places of Blender in Steam's libraries, on other disks too; steam is the
// folder of Steam itself.
func steamPlaces(steam, program string) []place {
	folders := []string{steam}
	list, err := os.ReadFile(filepath.Join(steam, "steamapps", "libraryfolders.vdf"))
	if err == nil { // otherwise there is no Steam, or only one library
		for _, found := range libraryPath.FindAllStringSubmatch(string(list), -1) {
			folders = append(folders, strings.ReplaceAll(found[1], `\\`, `\`))
		}
	}
	var all []place
	for _, folder := range folders {
		all = append(all, place{filepath.Join(folder, "steamapps", "common", "Blender", program), "Steam"})
	}
	return all
}

// configuredPath returns the path that a person means in the settings: the name of a program is
// looked for on the PATH, and a folder or a macOS bundle stands for the program in it.
func configuredPath(configured string) string {
	if !strings.ContainsRune(configured, filepath.Separator) && !strings.Contains(configured, "/") {
		if path, err := exec.LookPath(configured); err == nil {
			return path
		}
	}
	for _, inside := range programInside {
		if matches, err := filepath.Glob(filepath.Join(configured, inside)); err == nil && len(matches) == 1 {
			return matches[0]
		}
	}
	return configured
}

// Choose returns the Blender to use: the configured Blender when there is one in the settings,
// otherwise the newest that works. It fails with [ErrNotFound] when no Blender is found, or with
// the reason why the Blender can't be used.
func Choose(ctx context.Context, configured string) (Found, error) {
	if configured != "" {
		path := configuredPath(configured)
		version, err := Version(ctx, path)
		return Found{Path: path, Version: version, Source: api.SourceChosen}, err
	}
	found, err := Find(ctx, "")
	if err != nil {
		return Found{}, err
	}
	if len(found) == 0 {
		return Found{}, ErrNotFound
	}
	if found[0].Error == "" {
		return found[0], nil
	}
	for _, f := range found { // one that could not be asked is better than those that are no Blender
		if unknown := (*unknownError)(nil); errors.As(f.err, &unknown) {
			return f, f.err
		}
	}
	return Found{}, found[0].err
}
