package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// insideMark begins the line with which Blender answers.
const insideMark = "blendtray-doctor "

// insideCode asks a Blender what scripts will find in it. Devices are asked for as its
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

// inside is what a Blender says of itself.
type inside struct {
	Python string `json:"python"`
	NumPy  bool   `json:"numpy"`
	// Devices are the graphics cards that Cycles sees, with what it can use them by; nil when
	// there is no Cycles.
	Devices map[string][]string `json:"devices"`
}

// insideTime is what a Blender may take to start and answer.
const insideTime = 30 * time.Second

// examineInside starts a Blender, without preferences, and looks at what scripts find in it.
func examineInside(ctx context.Context, path string) []finding {
	ctx, cancel := context.WithTimeout(ctx, insideTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--background", "--factory-startup", "--python-expr", insideCode)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	said, ok := readInside(out)
	if !ok {
		if ctx.Err() != nil {
			err = fmt.Errorf("it did not answer within %v", insideTime)
		}
		if err == nil {
			err = errors.New("it ended without an answer")
		}
		return []finding{wrong(
			"python", "see what it says: "+path+" --background --factory-startup", "Blender does not run Python: %v\n%s", err, lastLine(out),
		)}
	}
	all := []finding{right("python", "Python %s, with NumPy", said.Python)}
	if !said.NumPy {
		fix := "install NumPy for the Python that Blender uses"
		if runtime.GOOS == "linux" {
			fix = "sudo apt-get install python3-numpy, or its like"
		}
		all[0] = wrong("python", fix, "Python %s has no NumPy, which many of Blender's own add-ons need", said.Python)
	}
	switch {
	case said.Devices == nil:
		all = append(all, right("gpu", "this Blender has no Cycles"))
	case len(said.Devices) == 0:
		all = append(all, right("gpu", "Cycles sees none and renders on the processor"))
	}
	for name, kinds := range said.Devices {
		all = append(all, right("gpu", "Cycles sees %s (%s)", name, strings.Join(kinds, ", ")))
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

// lastLine is the last line of a text that has something in it.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
