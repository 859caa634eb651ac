//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"blendtray/api"
)

// showsPreferences is code that opens the preferences at the add-on, as Edit, Preferences, Add-ons and a
// click on the arrow before the add-on's name do.
const showsPreferences = `
import addon_utils
bpy.context.preferences.view.show_splash = False
def show():
    manager = bpy.context.window_manager
    bpy.context.preferences.active_section = "ADDONS"
    manager.addon_search = "TCP Echo"
    for module in addon_utils.modules():
        if module.__name__ == addon:
            addon_utils.module_bl_info(module)["show_expanded"] = True
    try:
        with bpy.context.temp_override(window=manager.windows[0]):
            bpy.ops.screen.userpref_show("INVOKE_DEFAULT")
    except (IndexError, RuntimeError):
        pass # the window is not there yet
    return None if len(manager.windows) > 1 else 0.5
bpy.app.timers.register(show, first_interval=0.1)
`

// xdotool calls xdotool on the desktop, and returns what it prints.
func (d *desktop) xdotool(args ...string) (string, error) {
	cmd := exec.Command("xdotool", args...)
	cmd.Env = d.env
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// picture keeps a picture of the desktop beside the log of a failed test.
func (d *desktop) picture(to string) {
	d.t.Helper()
	cmd := exec.Command("import", "-window", "root", to)
	cmd.Env = d.env
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Errorf("no picture of the desktop: %v, %s", err, out)
	}
}

// TestTheDisplayStaysWithoutClients finds an X server that starts anew when its last client leaves: it puts the
// pointer back in the middle, and drops a program that connects at that moment.
func TestTheDisplayStaysWithoutClients(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	if _, err := d.xdotool("mousemove", "5", "7"); err != nil {
		t.Fatal(err)
	}
	if at, err := d.xdotool("getmouselocation"); err != nil || !strings.HasPrefix(at, "x:5 y:7 ") {
		t.Errorf("the pointer is at %q, %v", at, err)
	}
}

func TestAClickInTheWindowStartsServing(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	p := newProgram(t, "[blender]\nattach = true\n")
	env, _ := ownBlender(t, p)
	if r := p.with(env, "addon", "install", "--blender", "blender"); r.code != 0 {
		t.Fatalf("install: %s%s", r.stdout, r.stderr)
	}
	open := d.blender(env, showsPreferences)
	defer func() {
		if picture := picturesOfTests(); t.Failed() && picture != "" {
			d.picture(filepath.Join(picture, "click-failed.png"))
		}
	}()
	var window string
	d.eventually("the preferences are shown", func() bool {
		found, err := d.xdotool("search", "--name", "Preferences")
		window, _, _ = strings.Cut(found, "\n")
		return err == nil && window != ""
	})
	shape, err := d.xdotool("getwindowgeometry", "--shell", window)
	if err != nil {
		t.Fatal(err)
	}
	size := map[string]int{}
	for line := range strings.Lines(shape) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		size[name], _ = strconv.Atoi(value) // other lines are 0
	}
	served := func() bool {
		files, err := filepath.Glob(filepath.Join(p.home, "windows", "*.json"))
		return err == nil && len(files) > 0
	}
	// Where the button is depends on Blender's version and fonts. It is the lowest in its row and in this
	// column that does more than change the add-on's own preferences: so a hand that comes from below finds it.
	x := size["WIDTH"] * 2 / 5
	d.eventually("a click starts serving", func() bool {
		for y := size["HEIGHT"] - 8; y > size["HEIGHT"]/4 && !served(); y -= 10 {
			if _, err := d.xdotool("mousemove", "--window", window, strconv.Itoa(x), strconv.Itoa(y), "sleep", "0.1", "click", "1", "sleep", "0.1", "key", "--window", window, "Escape"); err != nil {
				t.Fatal(err)
			}
		}
		return served()
	})
	if picture := picturesOfTests(); picture != "" {
		d.picture(filepath.Join(picture, "click.png"))
	}

	p.start()
	p.eventually("the engine has found it", func() bool {
		s, ok := p.status()
		return ok && s.Blenders[0].PID == open.Process.Pid
	})
	if r := p.lastOf(p.save("monkey.py", "import bpy\nbpy.ops.mesh.primitive_monkey_add()\nprint(bpy.app.background, bpy.app.version_string)\n")); r.State != api.Succeeded || !strings.HasPrefix(r.Output, "False ") {
		t.Fatalf("%s, %q, %+v", r.State, r.Output, r.Error)
	}
	there := func() bool {
		r, code := p.runJSON("--attach", "-c", "import bpy; result = 'Suzanne' in bpy.data.objects")
		return code == 0 && string(r.Result) == "true"
	}
	if !there() {
		t.Error("what the save has made is not there")
	}
	if picture := picturesOfTests(); picture != "" {
		d.picture(filepath.Join(picture, "saved.png"))
	}
}

// picturesOfTests returns the folder for pictures that a person looks at, or "".
func picturesOfTests() string { return os.Getenv("TEST_PICTURES") }
