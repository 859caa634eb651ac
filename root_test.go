package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rootFiles are the files that lie at the top of the repository.
var rootFiles = []string{
	".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "FyneApp.toml", "LICENSE", "Makefile", "README.md",
	"SECURITY.md", "floors_test.go", "go.mod", "go.sum", "locked_test.go", "main.go", "mypy.ini",
	"root_test.go", "ruff.toml",
}

// Files that a person made to look at something, such as an output of the program, are committed
// easily with `git add -A` and found late.
func TestTheRootHasOnlyKnownFiles(t *testing.T) {
	folders := []string{".ci", "bench", "docs", "e2e", "scripts"}
	for _, floor := range floors {
		folders = append(folders, floor...)
	}
	names, err := rootNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		folder, _, inFolder := strings.Cut(name, "/")
		if inFolder && !slices.Contains(folders, folder) || !inFolder && !slices.Contains(rootFiles, name) {
			t.Errorf("%s does not belong to the project: remove it, or name it or its folder here or in floors_test.go", name)
		}
	}
}

// rootNames returns the names of the files that git has. Where the sources are no checkout of git, it
// returns what lies at the top, but for what builds and tests make there; a folder's name ends in "/".
func rootNames() (names []string, err error) {
	if out, err := exec.Command("git", "ls-files", "--full-name", "--", ".").Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), nil
	}
	entries, err := os.ReadDir(".")
	for _, entry := range entries {
		switch name := entry.Name(); {
		case slices.Contains([]string{".git", ".ruff_cache", ".venv", "build", "dist"}, name):
		case entry.IsDir():
			names = append(names, name+"/")
		default:
			names = append(names, name)
		}
	}
	return names, err
}
