//go:build !headless

package tray

import (
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestTheLicenceOfEveryModuleIsKnown(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"linux", "windows", "darwin"} {
		cmd := exec.Command("go", "list", "-deps", "-e", "-tags", "migrated_fynedo", "-f", "{{with .Module}}{{.Path}}{{end}}", "blendtray")
		cmd.Dir = ".."
		cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		paths := strings.Fields(string(out))
		slices.Sort(paths)
		for _, path := range slices.Compact(paths) {
			if path != "blendtray" && licences[path] == "" {
				t.Errorf("%s: the licence of %s is not in modules.go", system, path)
			}
		}
		if len(paths) < 10 {
			t.Errorf("%s: only %q are listed", system, paths)
		}
	}
}

func TestModulesAreListedWithVersionAndLicence(t *testing.T) {
	t.Parallel()
	all := []*debug.Module{{Path: "fyne.io/fyne/v2", Version: "v2.8.1"}, {Path: "example.org/x", Version: "v1.0.0"}}
	if got := moduleLines(all); !slices.Equal(got, []string{"Go: BSD-3-Clause", "fyne.io/fyne/v2 v2.8.1: BSD-3-Clause", "example.org/x v1.0.0: see the module"}) {
		t.Errorf("%q", got)
	}
	if versionOf(all, "fyne.io/fyne/v2") != "2.8.1" || versionOf(all, "nothing") != "" {
		t.Error("the version of a module is wrong")
	}
}
