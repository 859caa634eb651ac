package watcher

import (
	"os"
	"path/filepath"
	"slices"

	"blendtray/api"
)

// The engine keeps files of its own, among them the scripts of its add-on. No person has
// saved these files, so the engine runs none of its own files, whichever folder is watched.

// OwnRefusal returns why a folder is not watched that is one of the engine's own folders or lies in an own
// folder, also by way of links, or "" for every other folder. The paths are absolute, and need not exist.
func OwnRefusal(path string, own []string) string {
	return ownRefusal(realPath(path), realPaths(own))
}

func ownRefusal(path string, own []string) string {
	i := slices.IndexFunc(own, func(dir string) bool {
		_, in := below(dir, path)
		return in
	})
	if i < 0 {
		return ""
	}
	return "it is not watched, because Blendtray keeps its own files in " + api.NameInLine(own[i]) + ", among them scripts; watch another folder"
}

// ownIn returns those of the engine's own folders that lie in a folder, by the path that the folder is
// watched under. The path and the own folders, which are absolute, must have no links in them.
func ownIn(watched, path string, own []string) (in []string) {
	for _, dir := range own {
		if rel, ok := below(path, dir); ok && rel != "." {
			in = append(in, filepath.Join(watched, rel))
		}
	}
	return in
}

// realPath returns a path without links. What does not exist yet has none.
func realPath(path string) string {
	path = filepath.Clean(path)
	if found, err := filepath.EvalSymlinks(path); err == nil {
		return found
	}
	up := filepath.Dir(path)
	if _, err := os.Lstat(path); err == nil || up == path { // it is there, and can't be followed
		return path
	}
	return filepath.Join(realPath(up), filepath.Base(path))
}

func realPaths(paths []string) []string {
	found := make([]string, len(paths))
	for i, path := range paths {
		found[i] = realPath(path)
	}
	return found
}
