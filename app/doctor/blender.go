package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/home"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/tray/install"
)

// FindTimeout is how long it may take to look for Blenders, and to ask each for its version.
const FindTimeout = 60 * time.Second

// examineBlenders examines the Blenders that the settings name, and whether there is a Blender for
// each folder.
func (c Config) examineBlenders(ctx context.Context) (all []Finding) {
	running := c.running(ctx)
	if len(c.Blenders) == 0 { // the settings can't be read
		return examineBlender(ctx, "", running[api.DefaultBlender])
	}
	for _, b := range c.Blenders {
		switch {
		case b.Attach:
			all = append(all, named(b.Name, c.examineOpen(ctx))...)
		case b.Name == api.DefaultBlender:
			all = append(all, examineBlender(ctx, b.Path, running[b.Name])...)
		default:
			all = append(all, named(b.Name, examineNamed(ctx, b.Name, b.Path, running[b.Name]))...)
		}
	}
	return append(all, c.examineVersions(ctx)...)
}

// running returns the Blenders that the engine of this home has started and that are ready, by name. No
// finding about such a Blender may say anything else than the engine does. Without an engine there is
// none.
func (c Config) running(ctx context.Context) map[string]api.BlenderStatus {
	address, err := home.EngineAddress(c.Paths)
	if err != nil {
		return nil // the examination of the engine says so
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	st, err := control.NewClient(address).Status(ctx)
	if err != nil {
		return nil
	}
	all := map[string]api.BlenderStatus{}
	for _, b := range st.Blenders {
		if b.Kind == api.BlenderOwn && b.State == api.BlenderReady && b.Version != "" {
			all[b.Name] = b
		}
	}
	return all
}

// examineVersions finds out whether this machine has the versions of Blender that folders ask for.
func (c Config) examineVersions(ctx context.Context) (all []Finding) {
	ctx, cancel := context.WithTimeout(ctx, FindTimeout)
	defer cancel()
	var found []blender.Found
	for _, f := range c.Folders {
		isNamed := slices.ContainsFunc(c.Blenders, func(b api.BlenderSpec) bool { return b.Name == f.Blender })
		if isNamed || !api.IsVersion(f.Blender) {
			continue
		}
		if found == nil {
			found, _ = blender.Find(ctx, "") // what fails is that ctx ends
			for _, b := range c.Blenders {
				if one, err := blender.Choose(ctx, b.Path); err == nil && !b.Attach {
					found = append(found, one)
				}
			}
		}
		if !slices.ContainsFunc(found, func(b blender.Found) bool { return b.Error == "" && api.IsOfVersion(b.Version, f.Blender) }) {
			all = append(all, Wrong("folder", "install that version, or name another with `blendtray folder set "+f.Path+" --blender NAME`",
				"%s asks for Blender %s, and there is none of that version", f.Path, f.Blender))
		}
	}
	return all
}

// named returns the findings about a Blender with its name before them, unless it is the default
// Blender.
func named(name string, all []Finding) []Finding {
	if name != api.DefaultBlender {
		for i := range all {
			all[i].Detail = name + ": " + all[i].Detail
		}
	}
	return all
}

// examineNamed examines the Blender of a table [blenders.NAME], which may be running.
func examineNamed(ctx context.Context, name, configured string, running api.BlenderStatus) []Finding {
	ctx, cancel := context.WithTimeout(ctx, FindTimeout)
	defer cancel()
	if running.Version != "" {
		return append([]Finding{Right("blender", "Blender %s is used: %s", running.Version, running.Path)}, examineInside(ctx, running.Path)...)
	}
	b, err := blender.Choose(ctx, configured)
	if err != nil {
		return []Finding{Wrong("blender", "see that it starts, or change its path: blendtray settings blenders."+name+".path PATH", "%v", err)}
	}
	return append([]Finding{Right("blender", "Blender %s is used: %s", b.Version, b.Path)}, examineInside(ctx, b.Path)...)
}

// examineBlender examines the default Blender, which may be running, and the others of this machine.
func examineBlender(ctx context.Context, configured string, running api.BlenderStatus) []Finding {
	ctx, cancel := context.WithTimeout(ctx, FindTimeout)
	defer cancel()
	found, err := blender.Find(ctx, configured)
	var all []Finding
	good := 0
	if running.Version != "" {
		all = append(all, Right("blender", "Blender %s is used: %s (%s)", running.Version, running.Path, running.Source))
		all = append(all, examineInside(ctx, running.Path)...)
		good++
	}
	for _, b := range found {
		switch {
		case running.Version != "" && b.Path == running.Path:
		case b.Error != "":
			all = append(all, Wrong("blender", "see that it starts: "+b.Path+" --version", "%s (%s): %s", b.Path, b.Source, b.Error))
		case good == 0:
			all = append(all, Right("blender", "Blender %s is used: %s (%s)", b.Version, b.Path, b.Source))
			all = append(all, examineInside(ctx, b.Path)...)
			good++
		default:
			all = append(all, Right("blender", "Blender %s is there too: %s (%s)", b.Version, b.Path, b.Source))
			good++
		}
	}
	if good == 0 {
		detail := "no Blender is found"
		if err != nil {
			detail = err.Error()
		}
		all = append(all, Wrong("blender", howToInstall(install.Blender(install.Here(), install.Has)), "%s", detail))
	}
	return all
}

// howToInstall returns the ways to a Blender in words.
func howToInstall(ways []install.Way) string {
	var words []string
	for _, w := range ways {
		words = append(words, w.Command+w.Page)
	}
	return strings.Join(words, ", or ") + ", or name a Blender with `blendtray settings blender.path PATH`"
}

// examineOpen looks for the Blender with a window in which scripts run when the settings say so.
func (c Config) examineOpen(ctx context.Context) []Finding {
	all, err := c.Open(ctx)
	switch {
	case err != nil:
		return []Finding{Wrong("blender", "see "+c.Paths.OpenBlenders(), "what is open can't be read: %v", err)}
	case len(all) == 0:
		return []Finding{Wrong("blender", c.HowToOpen, "no Blender with a window takes scripts, and blender.attach needs such a Blender")}
	}
	found := []Finding{Right("blender", "the open Blender %s is used: process %d", all[0].Version, all[0].PID)}
	for _, b := range all[1:] {
		found = append(found, Right("blender", "Blender %s is open too: process %d", b.Version, b.PID))
	}
	return found
}

// insideMark is at the beginning of the line with which Blender answers.
const insideMark = "blendtray-doctor "

// insideCode asks a Blender what scripts will find in it. It asks for devices as Blender's
// preferences do, which loads the drivers that there are.
const insideCode = `
import importlib.util, json
import bpy
found = {"numpy": importlib.util.find_spec("numpy") is not None, "python": ".".join(map(str, __import__("sys").version_info[:3]))}
try:
    cycles = bpy.context.preferences.addons["cycles"].preferences
    devices = {}
    for kind in ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL"):
        try:
            for device in cycles.get_devices_for_type(kind):
                if device.type != "CPU":
                    devices.setdefault(device.name, []).append(kind)
        except (ValueError, TypeError):
            pass
    found["devices"] = devices
except (KeyError, AttributeError):
    pass
print("\n` + insideMark + `" + json.dumps(found), flush=True)
`

// inside is what a Blender answers.
type inside struct {
	Python string `json:"python"`
	NumPy  bool   `json:"numpy"`
	// Devices are the graphics cards that Cycles sees, each with the interfaces by which Cycles
	// can use the card; nil in a Blender without Cycles.
	Devices map[string][]string `json:"devices"`
}

// StartTimeout is how long a Blender may take to start and answer.
const StartTimeout = 30 * time.Second

// examineInside starts a Blender without preferences, and examines what scripts find in it.
func examineInside(ctx context.Context, path string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--background", "--factory-startup", "--python-expr", insideCode)
	cmd.WaitDelay = time.Second
	cmd.Env = blender.Environ(os.Environ(), path)
	out, err := cmd.CombinedOutput()
	said, ok := readInside(out)
	if !ok {
		if ctx.Err() != nil {
			err = fmt.Errorf("it did not answer within %v", StartTimeout)
		}
		if err == nil {
			err = errors.New("it ended without an answer")
		}
		return []Finding{Wrong(
			"python", "see what it says: "+path+" --background --factory-startup", "Blender does not run Python: %v\n%s", err, lastLine(out),
		)}
	}
	all := []Finding{Right("python", "Python %s, with NumPy", said.Python)}
	if !said.NumPy {
		fix := "install NumPy for the Python that Blender uses"
		if runtime.GOOS == "linux" {
			fix = "sudo apt-get install python3-numpy, or its like"
		}
		all[0] = Wrong("python", fix, "Python %s has no NumPy, which many of Blender's own add-ons need", said.Python)
	}
	if foreign := blender.ForeignPython(os.Environ(), path); len(foreign) > 0 {
		all = append(all, Right("python", "Blender is started without what would put another Python in its place: %s", strings.Join(foreign, ", ")))
	}
	switch {
	case said.Devices == nil:
		all = append(all, Right("gpu", "this Blender has no Cycles"))
	case len(said.Devices) == 0:
		all = append(all, Right("gpu", "Cycles sees none and renders on the processor"))
	}
	for name, kinds := range said.Devices {
		all = append(all, Right("gpu", "Cycles sees %s (%s)", name, strings.Join(kinds, ", ")))
	}
	return all
}

func readInside(out []byte) (said inside, ok bool) {
	_, line, found := bytes.Cut(out, []byte("\n"+insideMark))
	if !found {
		return said, false
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	return said, json.Unmarshal(line, &said) == nil
}

// lastLine returns the last line of a text, without the empty lines at its end.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
