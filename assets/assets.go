// Package assets embeds the icons, which were drawn for this program. assets/render makes their
// files from shapes; `make icons` runs it.
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

// Icon is an icon of the tray: the name of its files.
type Icon string

// The icons. [Running] returns those that show progress.
const (
	Stopped        Icon = "stopped"
	Starting       Icon = "starting"
	Ready          Icon = "ready"
	Failed         Icon = "failed"
	Attention      Icon = "attention"
	RunningUnknown Icon = "running-unknown"
)

// steps is how many parts the ring of progress has.
const steps = 12

// Running returns the icon for a run's progress, a fraction from 0 to 1, or RunningUnknown for
// any other number.
func Running(fraction float64) Icon {
	if !(fraction >= 0) {
		return RunningUnknown
	}
	return Icon(fmt.Sprintf("running-%02d", int(math.Floor(min(fraction, 1)*steps))))
}

// Icons returns all icons of the tray.
func Icons() []Icon {
	all := []Icon{Stopped, Starting, Ready, Failed, Attention, RunningUnknown}
	for step := range steps + 1 {
		all = append(all, Running(float64(step)/steps))
	}
	return all
}

// PNG returns the icon for Linux: 64 pixels square.
func (i Icon) PNG() []byte { return read("png/" + string(i) + ".png") }

// ICO returns the icon for Windows: 16 to 48 pixels.
func (i Icon) ICO() []byte { return read("ico/" + string(i) + ".ico") }

// Template returns the icon for macOS, which uses only its opacity: 44 pixels.
func (i Icon) Template() []byte { return read("template/" + string(i) + ".png") }

// App returns the icon of the program: a PNG, 512 pixels square.
func App() []byte { return read("png/app.png") }

// AppICO returns the icon of the program for Windows: 16 to 256 pixels.
func AppICO() []byte { return read("ico/app.ico") }

// read returns an embedded file. It panics when the file is missing, which any test shows.
func read(name string) []byte {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		panic("assets: there is no " + strings.TrimPrefix(name, "./"))
	}
	return data
}
