package app

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"blendtray/addon"
)

// version is the only place where the program's version is written. A release sets it with
// -ldflags "-X blendtray/app.version=1.2.3".
var version = "0.1.0-dev"

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (versionCmd) Help() string {
	return `The version of Blendtray, the commit it was built from, and for which system. ` + "`blendtray status`" + ` says which version Blender has.`
}

func (c *versionCmd) Run(e *env) error {
	commit := builtFrom()
	if c.JSON {
		return e.printJSON(struct {
			Version string `json:"version"`
			Commit  string `json:"commit"`
			Go      string `json:"go"`
			OS      string `json:"os"`
			Arch    string `json:"arch"`
			Addon   string `json:"addon"`
		}{version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, addon.Version()})
	}
	e.writeOut(versionLine(commit))
	return nil
}

// versionLine returns the line that says which version this program is; commit may be "".
func versionLine(commit string) string {
	if commit != "" {
		commit = ", commit " + commit
	}
	return fmt.Sprintf("blendtray %s (%s/%s, %s%s)\n", version, runtime.GOOS, runtime.GOARCH, runtime.Version(), commit)
}

// versionFlag is the flag that shows the version, before anything else on the command line is looked
// at, as the flag for help is.
type versionFlag bool

// BeforeReset shows the version and ends the program.
func (versionFlag) BeforeReset(app *kong.Kong, e *env) error {
	e.writeOut(versionLine(builtFrom()))
	app.Exit(0)
	return nil
}

// builtFrom returns the commit from which the program was built, or "" when the build did not
// know it.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = fmt.Sprintf("%.12s", s.Value)
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}
