// Package assets holds the icons, drawn for this program: assets/render makes the files that
// are embedded here from shapes, and `make icons` runs it.
package assets

import (
	"embed"
	"fmt"
	"io/fs"
	"math"
	"strings"
)

//go:embed png ico template
var files embed.FS

// Icon is an icon of the tray, by the name of its files.
type Icon string

// The icons. One with progress comes from [Running].
const (
	Stopped        Icon = "stopped"
	Starting       Icon = "starting"
	Ready          Icon = "ready"
	Failed         Icon = "failed"
	Attention      Icon = "attention"
	RunningUnknown Icon = "running-unknown"
)

// steps is how many pieces the ring of progress has.
const steps = 12

// Running is the icon of a run that is this far, from 0 to 1. What is no fraction is unknown.
func Running(fraction float64) Icon {
	if !(fraction >= 0) {
		return RunningUnknown
	}
	return Icon(fmt.Sprintf("running-%02d", int(math.Floor(min(fraction, 1)*steps))))
}

// Icons lists all icons of the tray.
func Icons() []Icon {
	all := []Icon{Stopped, Starting, Ready, Failed, Attention, RunningUnknown}
	for step := range steps + 1 {
		all = append(all, Running(float64(step)/steps))
	}
	return all
}

// PNG is the icon for Linux: 64 pixels square.
func (i Icon) PNG() []byte { return read("png/" + string(i) + ".png") }

// ICO is the icon for Windows: 16 to 48 pixels.
func (i Icon) ICO() []byte { return read("ico/" + string(i) + ".ico") }

// Template is the icon for macOS, which looks at nothing but its opacity: 44 pixels.
func (i Icon) Template() []byte { return read("template/" + string(i) + ".png") }

// App is the icon of the program: a PNG of 512 pixels square.
func App() []byte { return read("png/app.png") }

// AppICO is the icon of the program for Windows: 16 to 256 pixels.
func AppICO() []byte { return read("ico/app.ico") }

// read gives an embedded file. One that is missing is a fault that any test shows.
func read(name string) []byte {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		panic("assets: there is no " + strings.TrimPrefix(name, "./"))
	}
	return data
}
