//go:build unix

package addon

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

func TestScriptFindsWhatAScriptOnTheCommandLineWouldFind(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "script.py")
	got := s.succeed(`
import os, sys, inspect
def here(): pass
result = [__name__, __file__, os.getcwd(), type(__builtins__).__name__,
          sys.modules["__main__"].here is here, inspect.getsource(here)]
`, message{"file": file, "args": []string{"--size", "3"}})
	check(t, "what it found", got, []any{"__main__", file, dir, "dict", true, "def here(): pass\n"})
	got = s.succeed(`import os; result = [__file__, os.getcwd()]`, message{"name": "<given name>", "dir": dir})
	check(t, "what it found without a file", got, []any{"<given name>", dir})
}

func TestArgumentsAreBlendersCommandLine(t *testing.T) {
	p := startProcess(t, nil, "blender", "--background", "--factory-startup", "--addons", "io_scene_gltf2",
		"--python", launcherPath(t), "--", "--supervised")
	s := connect(t, greet(t, p))
	file := filepath.Join(t.TempDir(), "script.py")
	blender := []any{"--background", "--factory-startup", "--addons", "io_scene_gltf2", "--python"}
	const rest = "import sys; result = sys.argv[1:]"
	check(t, "sys.argv", s.succeed(rest, message{"file": file, "args": []string{"--size", "3"}}),
		append(slices.Clone(blender), file, "--", "--size", "3"))
	check(t, "sys.argv without arguments", s.succeed(rest, message{"file": file}), append(slices.Clone(blender), file))
	check(t, "sys.argv without a file", s.succeed(rest, message{"name": "<given>"}), append(slices.Clone(blender), "<given>"))
	check(t, "sys.argv[0]", s.succeed("import sys; result = sys.argv[0].endswith('blender')"), true)
}

func TestFolderOfTheScriptComesBehindPythonsOwnModules(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir := t.TempDir()
	script := message{"file": filepath.Join(dir, "s.py")}
	writeFile(t, filepath.Join(dir, "calendar.py"), "raise ValueError('not the calendar of Python')\n")
	writeFile(t, filepath.Join(dir, "numpy.py"), "here = 'beside the script'\n")
	check(t, "what it imports", s.succeed(`
import calendar, email.utils, os, sys
if "numpy" in sys.modules:  # some add-ons need it
    del sys.modules["numpy"]
import numpy
at = sys.path.index(os.path.dirname(__file__))
result = [calendar.month_name[1], numpy.here, os.path.dirname(os.__file__) in sys.path[:at],
          any(path.endswith("-packages") for path in sys.path[:at])]
del sys.modules["numpy"]
`, script, message{"scene": "fresh"}), []any{"January", "beside the script", true, false})
}

func TestStandardInputLooksLikeThatOfACommand(t *testing.T) {
	s := connect(t, sharedBlender(t))
	check(t, "sys.stdin", s.succeed(`
import sys
result = [sys.stdin.name, sys.stdin.encoding, sys.stdin.errors, type(sys.stdin.buffer).__name__, sys.stdin.buffer.peek().decode()]
`), []any{"<stdin>", "utf-8", "surrogateescape", "BufferedReader", ""})
}

func TestAWarningOfOneRunIsToldInTheNext(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	s.succeed("import tcp_echo; tcp_echo.test_registry = {}")
	for range 2 {
		id := s.start(`
import tcp_echo, warnings
warnings.simplefilter("default")
warnings.warn_explicit("this may go", UserWarning, "some.py", 1, registry=tcp_echo.test_registry)
`)
		check(t, "the state", s.receiveType("finished")["state"], "succeeded")
		if out := p.outputOf(t, s, id); !strings.Contains(out, "UserWarning: this may go") {
			t.Errorf("the warning is not told: %q", out)
		}
	}
	// With the filters as they were, too.
	id := s.start(`
import tcp_echo, warnings
warnings.warn_explicit("this may go", UserWarning, "some.py", 1, registry=tcp_echo.test_registry)
`)
	check(t, "the state", s.receiveType("finished")["state"], "succeeded")
	if out := p.outputOf(t, s, id); !strings.Contains(out, "UserWarning: this may go") {
		t.Errorf("the warning is not told with the filters put back: %q", out)
	}
	s.succeed("import tcp_echo; del tcp_echo.test_registry")
}

func TestScriptInAFolderThatIsGoneRunsWhereBlenderIs(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	before := s.succeed(`import os; result = os.getcwd()`)
	id := s.start(`import os; result = os.getcwd()`, message{"file": "/no/such/folder/x.py"})
	check(t, "the folder", s.receiveType("finished")["result"], before)
	if out := p.outputOf(t, s, id); !strings.Contains(out, "tcp_echo: stays in ") {
		t.Errorf("nothing was said about it: %q", out)
	}
}

// A script that removes as many modules as it adds leaves their number as it was.
func TestModulesThatAScriptRemovesAreThereForTheNext(t *testing.T) {
	s := connect(t, sharedBlender(t))
	s.succeed(`
import sys, types
for name in ("json", "shutil"):
    del sys.modules[name]
    sys.modules["new_" + name] = types.ModuleType("new_" + name)
`)
	check(t, "the removed modules are there", s.succeed(`
import sys
result = ["json" in sys.modules, "shutil" in sys.modules]
`), any([]any{true, true}))
	s.succeed(`
import sys
kept = sys.modules
sys.modules = {"sys": sys}
`)
	check(t, "the dict is there", s.succeed(`
import sys
result = "shutil" in sys.modules
`), any(true))
}

func TestEverythingIsPutBackAfterARun(t *testing.T) {
	s := connect(t, sharedBlender(t))
	const look = `
import asyncio, builtins, faulthandler, gc, logging, os, signal, sys, threading, warnings
posix = os.name == "posix"
result = [sys.argv[1:], sys.path, os.getcwd(), sorted(os.environ.items()), sys.getrecursionlimit(),
    repr(sys.stdin), sys.stdin.read(), sys.stdout.fileno(), sys.stderr.fileno(), sorted(vars(builtins)), print is builtins.print,
    [repr(f) for f in warnings.filters], [str(signal.getsignal(n)) for n in ((10, 14, 15, 23) if posix else (2, 15, 21))],
    # Blender's own handler of SIGINT is put back behind Python's back.
    [line for line in (open("/proc/self/status") if posix else ()) if line.startswith(("SigB", "SigI", "SigC"))],
    repr(sys.excepthook), repr(threading.excepthook), repr(sys.displayhook), gc.isenabled(),
    len(logging.root.handlers), logging.root.level, sys.gettrace() is None, sys.meta_path == list(sys.meta_path),
    len(sys.meta_path), len(sys.path_hooks), faulthandler.is_enabled(), asyncio.get_event_loop().is_closed(),
    sys.getswitchinterval(), os.fstat(1).st_ino == os.fstat(2).st_ino, sys.dont_write_bytecode]
`
	before := s.succeed(look)
	if got := s.fail(`
import asyncio, builtins, faulthandler, gc, io, logging, os, signal, sys, tempfile, threading, warnings
posix = os.name == "posix"
logging.basicConfig(level=logging.DEBUG)
sys.argv = []
sys.path[:] = []
sys.path = ["x"]
sys.meta_path.insert(0, object())
os.environ.clear()
os.environ["NEW"] = "1"
gone = tempfile.mkdtemp()
os.chdir(gone)
posix and os.rmdir(gone)
sys.setrecursionlimit(5000)
sys.setswitchinterval(1)
sys.stdin.close()
os.close(0)
sys.stdout = io.TextIOWrapper(sys.stdout.buffer)
sys.stderr = open(os.devnull, "w")
builtins.new = 1
warnings.simplefilter("ignore")
sys.excepthook = sys.displayhook = threading.excepthook = print
for number in (2, 10, 14, 15, 23) if posix else (2, 15, 21):
    signal.signal(number, signal.SIG_IGN)
posix and signal.alarm(1)
gc.disable()
faulthandler.disable()
asyncio.get_event_loop().close()
asyncio.run(asyncio.sleep(0))
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
os.close(2)
sys.modules["__main__"] = None
sys.dont_write_bytecode = not sys.dont_write_bytecode
sys.settrace(lambda *a: None)
builtins.len = builtins.isinstance = builtins.Exception = builtins.getattr = None
del builtins.print, builtins.__import__
raise ValueError("the end")
`); got.text("type") != "ValueError" {
		t.Errorf("ended with %v", got)
	}
	check(t, "the state of the process", s.succeed(look), before)
}

func TestHowAScriptEndsIsTold(t *testing.T) {
	s := connect(t, sharedBlender(t))
	for _, code := range []string{"", "x = 1", "import sys; sys.exit()", "raise SystemExit(0)"} {
		s.succeed(code)
	}
	for _, test := range []struct {
		code, kind, message string
		line                float64
	}{
		{"\nraise ValueError('no')", "ValueError", "no", 2},
		{"import sys\ndef end():\n  sys.exit(3)\nend()", "SystemExit", "3", 3},
		{"raise SystemExit('why')", "SystemExit", "why", 1},
		{"raise KeyboardInterrupt", "KeyboardInterrupt", "", 1},
		{"def f():\n  f()\nf()", "RecursionError", "maximum recursion depth exceeded", 2},
		{"x = bytearray(1 << 62)", "MemoryError", "", 1},
		{"class Odd(BaseException): pass\nraise Odd('x')", "Odd", "x", 2},
		{"class Bad(Exception):\n  def __str__(self): 1/0\nraise Bad", "Bad", "<exception str() of Bad failed>", 3},
		{"import builtins\ndel builtins.print\nprint()", "NameError", "name 'print' is not defined", 3},
		{"x = 1\ny = = 2\n", "SyntaxError", "invalid syntax", 2},
		{"x = 1\n  y = 2\n", "IndentationError", "unexpected indent", 2},
		{"await = 3", "SyntaxError", "invalid syntax", 1},
		{"return 3", "SyntaxError", "'return' outside function", 1},
		{"import bpy\nbpy.ops.mesh.subdivide()", "RuntimeError", "Operator bpy.ops.mesh.subdivide.poll() failed, context is incorrect", 2},
		{"input()", "EOFError", "EOF when reading a line", 1},
	} {
		if test.code == "input()" && onWindows {
			test.message = "" // the null device counts as a terminal there
		}
		got := s.fail(test.code)
		check(t, test.code, []any{got["type"], got["message"], got["line"]},
			[]any{test.kind, test.message, test.line})
	}
	// The type of the error depends on Python's version; in every version it ends the run.
	for _, code := range []string{"x = 1\x00", "(" + strings.Repeat("[", 300), "'\\ud800'.encode()", "\xff"} {
		s.fail(code)
	}
}

func TestTracebackIsWhatPythonWouldPrint(t *testing.T) {
	s := connect(t, sharedBlender(t))
	got := s.fail("def half(x):\n    return x / 0\n\nhalf(1)\n")
	want := `Traceback (most recent call last):
  File "<message>", line 4, in <module>
    half(1)
  File "<message>", line 2, in half
    return x / 0
ZeroDivisionError: division by zero
`
	// Which parts of a line Python marks depends on its version.
	if marks := regexp.MustCompile(`(?m)^[ ~^]+\n`); marks.ReplaceAllString(got.text("traceback"), "") != want {
		t.Errorf("traceback:\n%s", got.text("traceback"))
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "s.py"), "# another text on disk\n")
	got = s.fail("import asyncio\nawait asyncio.sleep(0)\n1 / 0  # as it ran\n", message{"file": file})
	want = fmt.Sprintf("Traceback (most recent call last):\n  File %q, line 3, in <module>\n    1 / 0  # as it ran\n", file)
	if !strings.HasPrefix(got.text("traceback"), want) {
		t.Errorf("traceback:\n%s", got.text("traceback"))
	}
}

func TestSourceIsDecodedAsPythonDecodesFiles(t *testing.T) {
	s := connect(t, sharedBlender(t))
	check(t, "UTF-8 with a byte order mark", s.succeed("\ufeffresult = 'é☃'"), "é☃")
	latin := base64.StdEncoding.EncodeToString([]byte("# -*- coding: latin-1 -*-\nresult = '\xe9'\n"))
	check(t, "Latin-1", s.succeed("", message{"code_base64": latin}), "é")
	windows := "def f(x):\r\n    return x\r\nresult = f('''a\r\nb''')\r\n"
	check(t, "CR LF", s.succeed(windows), "a\nb")
	check(t, "CR", s.succeed("x = 20\rresult = x + 1"), 21.0)
}

func TestSourceThatIsNoTextIsToldWithItsLineAndARemedy(t *testing.T) {
	s := connect(t, sharedBlender(t))
	const utf16 = "the source is UTF-16, which Python does not read; save the file as UTF-8"
	for _, test := range []struct {
		code, message string
		line          float64
	}{
		{"\xff\xfex\x00\n\x00", utf16, 1},
		{"\xfe\xff\x00x\x00\n", utf16, 1},
		{"i\x00m\x00p\x00o\x00r\x00t\x00 \x00o\x00s\x00", utf16, 1},
		{"x = 1\r\ny = 'caf\xe9'\r\n", "the byte 0xe9 in this line is not utf-8; save the file as UTF-8 or name its encoding in the first line, as in # coding: latin-1", 2},
		{"# coding: utf-8\n\n'\xe9'", "the byte 0xe9 in this line is not utf-8; save the file as UTF-8", 3},
		{"#!/usr/bin/python\n# -*- coding: klingon -*-\n", "the encoding 'klingon' that this line names is unknown; save the file as UTF-8 and remove it", 2},
		{"\ufeff# coding: latin-1\n", "the source begins as UTF-8, but this line names 'latin-1'; remove it", 1},
	} {
		code := base64.StdEncoding.EncodeToString([]byte(test.code))
		got := s.fail("", message{"code_base64": code, "name": "n.py"})
		check(t, fmt.Sprintf("%q", test.code), []any{got["type"], got["message"], got["line"]},
			[]any{"SyntaxError", test.message, test.line})
	}
}

func TestScriptMayAwaitAtItsTopLevel(t *testing.T) {
	s := connect(t, sharedBlender(t))
	check(t, "the result", s.succeed(`
import asyncio
async def twice(x):
    await asyncio.sleep(0)
    return 2 * x
left = asyncio.ensure_future(asyncio.sleep(1000))
result = await twice(21)
`), 42.0)
	check(t, "the result", s.succeed(`
import asyncio
async def main(): return 5
result = asyncio.run(main())
`), 5.0)
}

func TestResultIsWhatJSONHolds(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	check(t, "the result", s.succeed(`result = {"a": [1, 2.5, None, True, "é"]}`),
		map[string]any{"a": []any{1.0, 2.5, nil, true, "é"}})
	for code, reason := range map[string]string{
		"import mathutils; result = mathutils.Vector()":                        "Vector is not JSON serializable",
		"result = float('nan')":                                                "not JSON compliant",
		"result = []; result.append(result)":                                   "Circular reference",
		"result = 'x' * 1048577":                                               "the limit is 1048576",
		"class E(dict):\n  def items(self): raise SystemExit\nresult = E(a=1)": "SystemExit",
	} {
		id := s.start(code)
		m := s.receiveType("finished")
		check(t, code, []any{m["state"], m["result"]}, []any{"succeeded", nil})
		if out := p.outputOf(t, s, id); !strings.Contains(out, reason) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: printed %q", code, out)
		}
	}
}

func TestHelperModulesAreReadAfresh(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir := t.TempDir()
	helper := filepath.Join(dir, "helper_of_test.py")
	script := message{"file": filepath.Join(dir, "s.py")}
	// Each module has the same size, and is saved faster than byte-code's time stamps can tell.
	for _, value := range []string{"1", "2", "3"} {
		writeFile(t, helper, "value = "+value+"\n")
		check(t, "the module's value", fmt.Sprint(s.succeed("import helper_of_test; result = helper_of_test.value", script)), value)
	}
	if _, err := os.Stat(filepath.Join(dir, "__pycache__")); err == nil {
		t.Error("byte-code was left in the script's folder")
	}
	// A module that did not change is kept, with its state, until a fresh scene.
	s.succeed("import helper_of_test; helper_of_test.seen = True", script)
	const seen = "import helper_of_test; result = hasattr(helper_of_test, 'seen')"
	check(t, "kept", s.succeed(seen, script), true)
	check(t, "kept in a fresh scene", s.succeed(seen, script, message{"scene": "fresh"}), false)
	// Another folder has its own module of the same name.
	other := t.TempDir()
	writeFile(t, filepath.Join(other, "helper_of_test.py"), "value = 'other'\n")
	check(t, "the other folder's", s.succeed("import helper_of_test; result = helper_of_test.value",
		message{"file": filepath.Join(other, "s.py")}), "other")
	// When a module changes, the modules that use it are loaded again.
	writeFile(t, filepath.Join(dir, "middle_of_test.py"), "from helper_of_test import value\n")
	const middle = "import middle_of_test; result = middle_of_test.value"
	s.succeed(middle, script)
	writeFile(t, helper, "value = 4\n")
	check(t, "through another module", s.succeed(middle, script), 4.0)
}

func TestSceneIsKeptFreshOrFromAFile(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fresh, keep := message{"scene": "fresh"}, message{"scene": "keep"}
	const names = "import bpy; result = sorted(o.name for o in bpy.data.objects)"
	blend := filepath.Join(t.TempDir(), "s.blend")
	factory := []any{"Camera", "Cube", "Light"}
	check(t, "a fresh scene", s.succeed(names, fresh), factory)
	s.succeed("import bpy; bpy.ops.mesh.primitive_cube_add(); bpy.context.object.name = 'Mine'", keep)
	check(t, "a kept scene", s.succeed(names, keep), []any{"Camera", "Cube", "Light", "Mine"})
	m := s.run(fmt.Sprintf("import bpy; bpy.ops.wm.save_as_mainfile(filepath=%q)", blend), keep)
	check(t, "the outputs", m["outputs"], []any{blend})
	check(t, "a fresh scene", s.succeed(names, fresh), factory)
	check(t, "a scene from a file", s.succeed(names, message{"scene": blend}), []any{"Camera", "Cube", "Light", "Mine"})
	check(t, "tcp_echo_server_running", s.succeed(
		"import bpy; result = [s.tcp_echo_server_running for s in bpy.data.scenes]", fresh), []any{true})
}

func TestSceneThatCanNotBeHadFailsTheRun(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	broken := writeFile(t, filepath.Join(t.TempDir(), "broken.blend"), "no blend file")
	for _, scene := range []string{"/no/such.blend", broken} {
		got := s.fail("print('it ran')", message{"scene": scene})
		check(t, "the error's type", got["type"], "SceneError")
		if !strings.Contains(got.text("message"), scene) {
			t.Errorf("the message does not name the file: %v", got)
		}
	}
	if strings.Contains(p.text(), "it ran") {
		t.Error("the code was run without its scene")
	}
	s.succeed("")
}

func TestFreshRemovesWhatScriptsLeft(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fresh := message{"scene": "fresh"}
	const look = `
import bpy
H = bpy.app.handlers
lists = [getattr(H, n) for n in dir(H) if isinstance(getattr(H, n), list)]
result = [sum(map(len, lists)), hasattr(bpy.types, "LEFT_OT_behind"), "left" in bpy.app.driver_namespace,
    hasattr(bpy.types.Scene, "left_behind"), "io_scene_obj" in bpy.context.preferences.addons,
    hasattr(bpy.types, "LEFT_PG_behind"), hasattr(bpy.types.Object, "left_group"),
    hasattr(bpy.types.Image, "left_picture")]
`
	before := s.succeed(look, fresh)
	s.succeed(`
import bpy, gc, weakref
@bpy.app.handlers.persistent
def stays(*a): pass
for handlers in (bpy.app.handlers.load_post, bpy.app.handlers.render_write, bpy.app.handlers.depsgraph_update_post):
    handlers.append(stays)
bpy.app.handlers.save_post.clear()
class LEFT_OT_behind(bpy.types.Operator):
    bl_idname, bl_label = "left.behind", "Left"
class LEFT_PG_behind(bpy.types.PropertyGroup):
    number: bpy.props.IntProperty()
bpy.utils.register_class(LEFT_OT_behind)
bpy.utils.register_class(LEFT_PG_behind)
bpy.types.Scene.left_behind = bpy.props.IntProperty()
bpy.types.Object.left_group = bpy.props.PointerProperty(type=LEFT_PG_behind)
bpy.app.driver_namespace["left"] = 1
import addon_utils
class Big: pass
big = Big()
import tcp_echo
tcp_echo.test_weak = weakref.ref(big)
bpy.types.Image.left_picture = bpy.props.StringProperty()
# Types of Blender's own that come into being now are not the script's.
material = bpy.data.materials.new("m")
material.use_nodes = True
for kind in ("ShaderNodeBsdfPrincipled", "ShaderNodeTexImage", "GeometryNodeTree", "CompositorNodeBlur", "Menu"):
    getattr(bpy.types, kind, None)
for node in material.node_tree.nodes:
    list(node.inputs)
world = bpy.context.scene.world
world.use_nodes = True
world.node_tree.nodes["Background"].inputs["Color"].default_value
`, fresh)
	check(t, "what a fresh run sees", s.succeed(look, fresh), before)
	check(t, "what the script kept alive", s.succeed("import tcp_echo; result = tcp_echo.test_weak() is None"), true)
}

func TestOutputsAreWhatTheRunRenderedSavedAndNamed(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir := t.TempDir()
	m := s.run(`
import bpy, os, tcp_echo
scene = bpy.context.scene
scene.render.resolution_x = scene.render.resolution_y = 16
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.render.filepath = os.path.abspath("still")
bpy.ops.render.render(write_still=True)
bpy.ops.render.render()
scene.render.filepath = os.path.abspath("frame_")
scene.frame_end = 2
bpy.ops.render.render(animation=True)
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("scene.blend"))
open("report.txt", "w").close()
tcp_echo.add_output("report.txt")
`, message{"scene": "fresh", "file": filepath.Join(dir, "s.py")})
	check(t, "the error", m["error"], nil)
	var want []any
	for _, name := range []string{"still.png", "frame_0001.png", "frame_0002.png", "scene.blend", "report.txt"} {
		want = append(want, filepath.Join(dir, name))
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	check(t, "the outputs", m["outputs"], want)
	check(t, "the next run's outputs", s.run("")["outputs"], []any{})
}

// fileOutputs makes File Output nodes in every Blender: node(directory, name, slots…) for one file a
// slot, node(directory, name) for a multilayer file.
const fileOutputs = `
import bpy, os
scene = bpy.context.scene
scene.render.resolution_x = scene.render.resolution_y = 16
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
new = bpy.app.version >= (5, 0, 0)
if new:
    tree = scene.compositing_node_group = bpy.data.node_groups.new("C", "CompositorNodeTree")
else:
    scene.use_nodes = True
    tree = scene.node_tree

def node(directory, name, *slots, tree=tree, source="RLayers"):
    made = tree.nodes.new("CompositorNodeOutputFile")
    if new:
        made.directory, made.file_name = directory, name
        made.format.media_type = "IMAGE" if slots else "MULTI_LAYER_IMAGE"
        for slot in slots or ("Image",):
            made.file_output_items.new("RGBA", slot)
    elif slots:
        made.base_path = directory
        made.file_slots.clear()
        for slot in slots:
            made.file_slots.new(name + slot)
    else:
        made.format.file_format = "OPEN_EXR_MULTILAYER"
        made.base_path = os.path.join(directory, name)
    source = tree.nodes.new("CompositorNode" + source).outputs[0]
    for socket in made.inputs:
        if socket.bl_idname != "NodeSocketVirtual":
            tree.links.new(source, socket)
    return made
`

// written returns the files in a folder and below, but for those of the given names.
func written(t *testing.T, dir string, but ...string) []any {
	t.Helper()
	var found []any
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !slices.Contains(but, entry.Name()) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sorted returns the values, which are texts, in order.
func sorted(values any) []any {
	list, _ := values.([]any)
	return slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
}

func TestOutputsAreWhatFileOutputNodesWrite(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir := t.TempDir()
	// What looks like the node's files and was there before is not the run's.
	for _, name := range []string{"depth_0007.png", "depth_12.png", "all0007.exr"} {
		old := filepath.Join(dir, "passes", name)
		if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, old, "old")
		if err := os.Chtimes(old, time.Time{}, time.Now().Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	m := s.run(fileOutputs+`
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("scene.blend"))
node("//passes", "", "depth_", "n##x", "with.png")
node("//passes/", "all")
node(os.path.abspath("far"), "pic#", "_a b")
group = bpy.data.node_groups.new("G", "CompositorNodeTree")
node("//group", "", "in[1]", tree=group, source="RGB")
user = tree.nodes.new("CompositorNodeGroup")
user.node_tree = group
scene.render.filepath = "//frame_"
bpy.ops.render.render()
scene.frame_start, scene.frame_end = 2, 3
bpy.ops.render.render(animation=True)
scene.render.use_multiview = True
scene.render.filepath = "//view"
bpy.ops.render.render(write_still=True)
open("passes/depth_text.txt", "w").close()
os.chdir("/")
`, message{"scene": "fresh", "file": filepath.Join(dir, "s.py")})
	check(t, "the error", m["error"], nil)
	want := written(t, dir, "depth_0007.png", "depth_12.png", "all0007.exr", "depth_text.txt")
	if len(want) < 16 {
		t.Errorf("too little was written: %v", want)
	}
	check(t, "the outputs", sorted(m["outputs"]), want)
	check(t, "the next run's outputs", s.run("")["outputs"], []any{})
}

func TestOutputsAreNoFolders(t *testing.T) {
	s := connect(t, sharedBlender(t))
	m := s.run(`
import bpy, os
open("of_test.txt", "w").close()  # which changes the folder
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("copy.blend"), copy=True)
`, message{"dir": t.TempDir(), "scene": "fresh"})
	// The handler of saves has the copy's path from Blender 4 on, and none before.
	for _, path := range m["outputs"].([]any) {
		if filepath.Base(path.(string)) != "copy.blend" {
			t.Errorf("the outputs of a copy of a scene that was never saved name %q", path)
		}
	}
}

func TestOutputsAreWhereImagesWereSaved(t *testing.T) {
	s := connect(t, sharedBlender(t))
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "old.png"), "old")
	if err := os.Chtimes(filepath.Join(dir, "old.png"), time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	m := s.run(`
import bpy, os
def image(path, **options):
    made = bpy.data.images.new("made", 8, 8, **options)
    made.file_format = "PNG"
    made.filepath_raw = path
    return made
image(os.path.abspath("before.png")).save()
bpy.ops.wm.read_factory_settings()
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("scene.blend"))
image("//relative.png").save()
image("//tile.<UDIM>.png", tiled=True).save()
image("//unsaved.png")
bpy.data.images.load(os.path.abspath("old.png"))
named = image("")
operators = bpy.ops.image
options = {"filepath": os.path.abspath("as.png")}
if hasattr(bpy.context, "temp_override"):
    with bpy.context.temp_override(edit_image=named):
        operators.save_as(**options)
else:
    operators.save_as({"edit_image": named}, **options)
`, message{"scene": "fresh", "file": filepath.Join(dir, "s.py")})
	check(t, "the error", m["error"], nil)
	want := written(t, dir, "old.png")
	if len(want) != 5 {
		t.Errorf("not what should be written: %v", want)
	}
	check(t, "the outputs", sorted(m["outputs"]), want)
	check(t, "the next run's outputs", s.run("")["outputs"], []any{})
}

func TestProgressIsTold(t *testing.T) {
	s := connect(t, sharedBlender(t))
	s.start(`
import tcp_echo, time
for i in range(5):
    tcp_echo.progress(i / 4, f"step {i}")
    time.sleep(0.06)
`)
	check(t, "the first frame", s.receive().text("type"), "started")
	first := s.receive()
	check(t, "the first progress", []any{first["type"], first["fraction"], first["text"]}, []any{"progress", 0.0, "step 0"})
	last := first
	for m := first; m.text("type") == "progress"; m = s.receive() {
		last = m
	}
	check(t, "the last progress", []any{last["fraction"], last["text"]}, []any{1.0, "step 4"})
}

// A script that reports twice at once and then works for long is shown with what it reported last.
func TestTheLastOfSeveralProgressesIsTold(t *testing.T) {
	s := connect(t, sharedBlender(t))
	id := s.start(`
import tcp_echo, time
for i in range(5):
    tcp_echo.progress(i / 10, f"step {i}")
while True:
    time.sleep(0.01)
`)
	for last := ""; last != "step 4"; last = s.receiveType("progress").text("text") {
	}
	s.send(message{"type": "cancel", "id": id})
	s.receiveType("finished")
}

func TestOutputLiesBetweenTheMarksInOrder(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	id := s.start("import ctypes; libc = " + cLibrary() + `
import os, subprocess, sys
# The C library of Windows has no printf() of its own, and holds nothing back.
say = (lambda text: [libc.putchar(c) for c in text]) if os.name == "nt" else libc.printf
print("one", end="")
say(b"-two-")
print("three", file=sys.stderr)
sys.stdout.flush()
subprocess.run(["cmd", "/c", "echo four"] if os.name == "nt" else ["echo", "four"])
os.system("echo five")
say(b"six without a line feed")
sys.stdout.write("\ud800 é")
`)
	m := s.receiveType("finished")
	check(t, "the state", m["state"], "succeeded")
	out := p.outputOf(t, s, id)
	for _, part := range []string{"one", "-two-", "three\n", "four\nfive\n", "six without a line feed", "\\ud800 é"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing in %q", part, out)
		}
	}
}

func TestOutputOfCComesLineByLine(t *testing.T) {
	p := sharedBlender(t)
	s := connect(t, p)
	s.start("import ctypes, time; " + cLibrary() + ".puts(b'a line of C'); time.sleep(1000)")
	id := s.receiveType("started").text("id")
	p.await(t, "a line of C\n")
	s.send(message{"type": "cancel", "id": id})
	s.receiveType("finished")
}

func TestScriptMayForkAndStartProcesses(t *testing.T) {
	s := connect(t, sharedBlender(t))
	check(t, "the exit status of a child that leaves the script", s.succeed(`
import os, sys
child = os.fork()
if child == 0:
    sys.exit(7)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
`), 7.0)
	check(t, "the sum", s.succeed(`
import multiprocessing
def square(x): return x * x
with multiprocessing.get_context("fork").Pool(2) as pool:
    result = sum(pool.map(square, range(10)))
`), 285.0)
	// A child inherits neither the sockets nor the pipes of the add-on. It inherits the descriptors
	// that this test was started with.
	got := s.succeed(`
import os, socket, subprocess
def links(pid):
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try: found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError: pass
    return found
sleeper = subprocess.Popen(["sleep", "1000"], close_fds=False)
before = links(os.getppid())
result = [[link for fd, link in links(sleeper.pid).items()
           if fd > 2 and link.startswith(("socket", "pipe")) and before.get(fd) != link]]
sleeper.kill()
sleeper.wait()
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(read)
    connected = []
    for fd, link in links(os.getpid()).items():
        if link.startswith("socket") and socket.socket(fileno=os.dup(fd)).family == socket.AF_INET:
            connected.append(fd)
    os.write(write, repr(connected).encode())
    os._exit(0)
os.close(write)
result.append(os.read(read, 1000).decode())
os.close(read)
os.waitpid(child, 0)
`)
	check(t, "what children have open", got, []any{[]any{}, "[]"})
}
