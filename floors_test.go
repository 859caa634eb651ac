package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors are the rooms of the house, ground first. A room may import from lower floors and
// from itself, not from beside it.
var floors = [][]string{
	{"api", "pulse", "spelling"},
	{"addon", "assets", "examples", "logfile", "packaging", "reference", "watcher"},
	{"blender"},
	{"fleet"},
	{"engine"},
	{"control", "farm"},
	{"lab", "mcp", "tray"},
	{"app"},
	{"main"},
}

// appFloors are the rooms inside app, ground first. Beside the rooms below app, a room inside it
// may import from lower floors of app and from itself. It may not import app, which joins them.
var appFloors = [][]string{
	{"fault", "home"},
	{"doctor", "login", "service", "settings"},
	{"agents", "setup"},
}

// paneFloors are the rooms inside tray/textpane, ground first, with tray/textpane itself, which is
// ".", on top of them. They import nothing else of the program, so that a text pane knows nothing of
// runs, and only the pane itself imports the window toolkit.
var paneFloors = [][]string{
	{"cells"},
	{"ansi"},
	{"buffer", "raster"},
	{"find", "selection"},
	{"."},
}

// forbiddenInPane says what is wrong with the import of a path by a file of tray/textpane, or "".
// The file's name begins below tray/textpane.
func forbiddenInPane(file, imported string) string {
	room, _, inRoom := strings.Cut(file, "/")
	if !inRoom {
		room = "."
	}
	from := floorIn(paneFloors, room)
	if from < 0 {
		return fmt.Sprintf("tray/textpane/%s: the room is on no floor; give it one in floors_test.go", file)
	}
	if strings.HasPrefix(imported, "fyne.io/") && room != "." {
		return fmt.Sprintf("tray/textpane/%s imports %s; only tray/textpane itself may", file, imported)
	}
	to, ofPane := strings.CutPrefix(imported+"/", "blendtray/tray/textpane/")
	if !ofPane {
		if strings.HasPrefix(imported, "blendtray/") {
			return fmt.Sprintf("tray/textpane/%s imports %s, which is not of the pane", file, imported)
		}
		return ""
	}
	if to, _, _ = strings.Cut(to, "/"); to == room {
		return ""
	}
	if floor := floorIn(paneFloors, to); floor < 0 || floor >= from {
		return fmt.Sprintf("tray/textpane/%s imports %s, which is not on a lower floor of the pane", file, imported)
	}
	return ""
}

// outside are folders that use the rooms and that no room may use.
var outside = []string{"bench", "e2e"}

func floorOf(room string) int {
	if slices.Contains(outside, room) {
		return len(floors)
	}
	return floorIn(floors, room)
}

// floorIn returns the floor on which a room is, or -1.
func floorIn(floors [][]string, room string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, room) })
}

// forbiddenInApp says what is wrong with the import of a path by a file of app, or "". The file's
// name begins below app.
func forbiddenInApp(file, imported string) string {
	room, _, inRoom := strings.Cut(file, "/")
	if !inRoom {
		return "" // app joins the rooms inside it
	}
	from := floorIn(appFloors, room)
	if from < 0 {
		return fmt.Sprintf("app/%s: the room app/%s is on no floor; give it one in floors_test.go", file, room)
	}
	to, ofApp := strings.CutPrefix(imported+"/", "blendtray/app/")
	if to, _, _ = strings.Cut(to, "/"); !ofApp || to == room {
		return ""
	}
	if floor := floorIn(appFloors, to); floor < 0 || floor >= from {
		return fmt.Sprintf("app/%s imports %s, which is not on a lower floor of app", file, imported)
	}
	return ""
}

// arrow is one import in one file.
type arrow struct {
	file string // slash-separated, from the module's root
	path string // what it imports
}

// arrows reads the imports of every Go file below root, of all systems and build tags.
func arrows(root fs.FS) ([]arrow, error) {
	var all []arrow
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "build" || name == "dist"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, arrow{name, path})
		}
		return nil
	})
	return all, err
}

// forbidden says what is wrong with an arrow, or "".
func forbidden(a arrow) string {
	room, file, inRoom := strings.Cut(a.file, "/")
	if !inRoom {
		room = "main"
	}
	from := floorOf(room)
	if from < 0 {
		return fmt.Sprintf("%s: the room %s is on no floor; give it one in floors_test.go", a.file, room)
	}
	if room == "app" {
		if why := forbiddenInApp(file, a.path); why != "" {
			return why
		}
	}
	if inPane, ok := strings.CutPrefix(a.file, "tray/textpane/"); ok {
		return forbiddenInPane(inPane, a.path)
	}
	if strings.HasPrefix(a.path, "fyne.io/") && room != "tray" {
		return fmt.Sprintf("%s imports %s; only tray may", a.file, a.path)
	}
	to, ours := strings.CutPrefix(a.path, "blendtray/")
	if !ours {
		return ""
	}
	to, _, _ = strings.Cut(to, "/")
	if to == room {
		return ""
	}
	if floor := floorOf(to); floor < 0 || floor >= from {
		return fmt.Sprintf("%s imports %s, which is not on a lower floor", a.file, a.path)
	}
	return ""
}

// clients are the rooms of programs that only speak to an engine. They must not link it.
var clients = []string{"api", "control", "farm", "lab", "mcp", "tray"}

// heavy says what a client must not link, by the beginning of an import path.
func heavy(path string, room string) bool {
	for _, prefix := range []string{
		"blendtray/engine", "blendtray/fleet", "blendtray/blender", "blendtray/watcher", "blendtray/app",
		"modernc.org/", "github.com/fsnotify/", "github.com/shirou/gopsutil",
	} {
		if strings.HasPrefix(path, prefix) {
			return !(room == "tray" && path == "github.com/fsnotify/fsnotify") // Fyne brings it along
		}
	}
	return strings.HasPrefix(path, "fyne.io/") && room != "tray"
}

// reached returns what a room imports, in all of its files and by all of ours, test files
// excepted: those of our packages with the way by which they are reached.
func reached(all []arrow, room string) map[string]string {
	ways := map[string]string{"blendtray/" + room: room}
	for todo := []string{"blendtray/" + room}; len(todo) > 0; todo = todo[1:] {
		folder := strings.TrimPrefix(todo[0], "blendtray/")
		for _, a := range all {
			if path.Dir(a.file) != folder || strings.HasSuffix(a.file, "_test.go") || ways[a.path] != "" {
				continue
			}
			ways[a.path] = ways[todo[0]] + " → " + a.path
			if strings.HasPrefix(a.path, "blendtray/") {
				todo = append(todo, a.path)
			}
		}
	}
	return ways
}

func TestAClientLinksNoEngineEvenByAnotherRoom(t *testing.T) {
	t.Parallel()
	all, err := arrows(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range clients {
		ways := reached(all, room)
		if room != "api" && ways["blendtray/api"] == "" {
			t.Errorf("the test did not see that %s imports api; it reads the wrong files", room)
		}
		for path, way := range ways {
			if heavy(path, room) {
				t.Errorf("a client would link %s: %s", path, way)
			}
		}
	}
}

// What libraries bring along shows only to the go command.
func TestAClientLinksNoDatabase(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-deps", "-tags", "headless", "./control", "./api")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if heavy(path, "control") {
			t.Errorf("a client of control would link %s", path)
		}
	}
	if !strings.Contains(string(out), "blendtray/control\n") {
		t.Errorf("the list is not of control: %s", out)
	}
}

// smallClient is a program that has a run made, and nothing else.
const smallClient = `package main

import (
	"context"
	"fmt"
	"os"

	"blendtray/api"
	"blendtray/control"
)

func main() {
	run, err := control.NewClient(os.Args[1]).Submit(context.Background(), api.Submission{Code: []byte("print(1)"), Name: "one line"})
	fmt.Println(run.ID, err)
}
`

func TestASmallClientIsASmallProgram(t *testing.T) {
	t.Parallel()
	const most = 7_000_000
	source, program := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(source, []byte(smallClient), 0o600); err != nil {
		t.Fatal(err)
	}
	// Without what only debuggers read, as programs are packaged.
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= most {
		t.Errorf("it has %d bytes, and may have %d; `go list -deps ./control` shows what has come into it", info.Size(), most)
	}
}

func TestAWayByAnotherRoomIsFound(t *testing.T) {
	t.Parallel()
	all := []arrow{
		{"control/a.go", "blendtray/assets"},
		{"assets/b.go", "blendtray/addon/sub"},
		{"addon/sub/c.go", "modernc.org/sqlite"},
		{"control/a_test.go", "blendtray/engine"},
	}
	ways := reached(all, "control")
	if ways["modernc.org/sqlite"] == "" || ways["blendtray/engine"] != "" {
		t.Errorf("%v", ways)
	}
}

func TestEveryRoomImportsFromLowerFloorsOnly(t *testing.T) {
	t.Parallel()
	all, err := arrows(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, a := range all {
		seen = seen || filepath.ToSlash(a.file) == "main.go" && a.path == "blendtray/app"
		if why := forbidden(a); why != "" {
			t.Error(why)
		}
	}
	if !seen {
		t.Error("the test did not see that main.go imports app; it reads the wrong files")
	}
}

func TestAForbiddenArrowIsFound(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		file, path string
		bad        bool
	}{
		{"engine/a.go", "blendtray/watcher", false},
		{"engine/sub/a.go", "blendtray/engine", false},
		{"app/a.go", "blendtray/tray", false},
		{"main.go", "blendtray/app", false},
		{"bench/a.go", "blendtray/app", false},
		{"app/a.go", "blendtray/app/service", false},
		{"app/service/a.go", "blendtray/app/home", false},
		{"app/service/a.go", "blendtray/app/fault", false},
		{"app/service/a_test.go", "blendtray/app/service", false},
		{"app/settings/sub/a.go", "blendtray/app/settings", false},
		{"app/fault/a.go", "blendtray/control", false},
		{"tray/a.go", "fyne.io/fyne/v2/app", false},
		{"tray/a.go", "blendtray/control", false},
		{"watcher/a.go", "watcher.example/blendtray/app", false},
		{"tray/a.go", "blendtray/tray/textpane", false},
		{"tray/textpane/a.go", "fyne.io/fyne/v2", false},
		{"tray/textpane/a.go", "blendtray/tray/textpane/raster", false},
		{"tray/textpane/find/a.go", "blendtray/tray/textpane/buffer", false},

		{"watcher/a.go", "blendtray/engine", true},
		{"watcher/a_windows.go", "blendtray/addon", true},
		{"blender/a_test.go", "blendtray/engine", true},
		{"control/a.go", "blendtray/app/internal", true},
		{"app/a.go", "blendtray/bench", true},
		{"app/service/a.go", "blendtray/app", true},
		{"app/service/a.go", "blendtray/app/login", true},
		{"app/doctor/a_windows.go", "blendtray/app/settings", true},
		{"app/home/a.go", "blendtray/app/fault", true},
		{"app/home/a.go", "blendtray/app/service", true},
		{"app/cellar/a.go", "blendtray/app/home", true},
		{"app/cellar/a.go", "fmt", true},
		{"app/login/a.go", "blendtray/app/cellar", true},
		{"app/login/a.go", "fyne.io/fyne/v2", true},
		{"control/a.go", "blendtray/app/fault", true},
		{"app/a.go", "fyne.io/fyne/v2", true},
		{"tray/textpane/a.go", "blendtray/api", true},
		{"tray/textpane/a.go", "blendtray/tray", true},
		{"tray/textpane/raster/a.go", "fyne.io/fyne/v2", true},
		{"tray/textpane/buffer/a.go", "blendtray/tray/textpane/find", true},
		{"tray/textpane/cellar/a.go", "fmt", true},
		{"cellar/a.go", "fmt", true},
		{"engine/a.go", "blendtray/cellar", true},
	} {
		if why := forbidden(arrow{x.file, x.path}); (why != "") != x.bad {
			t.Errorf("%s → %s: %q, want it forbidden: %v", x.file, x.path, why, x.bad)
		}
	}
}
