package main

import (
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
	out, err := exec.Command("git", "ls-files", "--full-name", "--", ".").Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	folders := []string{".ci", "bench", "docs", "e2e", "scripts"}
	for _, floor := range floors {
		folders = append(folders, floor...)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSuffix(name, "\n")
		folder, _, inFolder := strings.Cut(name, "/")
		if inFolder && !slices.Contains(folders, folder) || !inFolder && !slices.Contains(rootFiles, name) {
			t.Errorf("%s does not belong to the project: remove it, or name it or its folder here or in floors_test.go", name)
		}
	}
}
