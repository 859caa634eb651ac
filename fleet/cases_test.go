//go:build unix

package fleet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"blendtray/api"
	"blendtray/blender"
)

// The scripts in testdata/cases stand for what people's scripts do; the first line of each says what
// is expected of it. A script is right when a cold Blender would have ended, printed and left the
// same.

// asked are the cases that BLENDTRAY_CASES names, separated by commas; "all" stands for every case.
var asked = strings.Split(os.Getenv("BLENDTRAY_CASES"), ",")

// some are the cases that each change is tried with; they stand for the rest.
var some = []string{
	"argparse-error", "argv-index", "async-create-subprocess", "atexit", "break-modclear", "exit-code-3",
	"executor-not-shut", "gltf-extras", "kills-its-group", "object-del-at-end", "open-then-context", "os-exit-0",
	"stdout-detach", "sys-excepthook",

	"cycles-pref", "disable-gltf", "logging-disable", "loop-pending-task", "named-logger-handler", "node-categories",
	"numpy-seterr", "open-use-scripts", "putenv", "python-attr-on-type", "signal-mask", "thread-prints-later",
	"unregister-builtin-register-own", "viewlayer-prop",
}

// ownWords are the cases of which Blendtray says the same in other words, and a case that a cold
// Blender survives no better than it has to.
var ownWords = []string{"coding-cookie-wrong", "nonutf8", "break-modclear2"}

// apart are the cases in which a Blender that goes on is not as a cold Blender, by isolation;
// docs/scripting.md has the reasons.
var apart = map[api.Isolation][]string{
	// A script before it may have loaded Blender's own NumPy, and a second one can't be loaded. The
	// exporter of Blender 5.0 says only once what it has found.
	api.IsolateScene: {"numpy-of-a-venv", "gltf-extras"},
}

// chosen returns the cases of a kind that are to be tried.
func chosen(t *testing.T, kind string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "cases", kind, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no cases: %v", err)
	}
	names := some
	if asked[0] != "" {
		names = asked
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		return !slices.Contains(names, "all") && !slices.Contains(names, nameOf(path))
	})
}

func nameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".py") }

// tried is a fleet that executes cases.
func (b *bench) tried(t *testing.T) *Fleet {
	t.Helper()
	return serveWith(t, api.BlenderSettings{FactoryStartup: true}, api.FleetSettings{Ahead: 1}, func(c *blender.Config) {
		c.Env = []string{"TMPDIR=" + b.temp}
	})
}

// compare reports how an account differs from that of a cold Blender.
func compare(t *testing.T, isolation api.Isolation, name, when string, got, cold account) {
	t.Helper()
	crashedAtExit := cold.code > 128 && got.code == 0
	if crashedAtExit {
		cold.code = 0 // the script's own end was before
	}
	if crashedAtExit || slices.Contains(ownWords, name) {
		cold.lines = got.lines
	}
	difference := got.differs(cold)
	if difference == "" {
		return
	}
	if slices.Contains(apart[isolation], name) {
		t.Logf("%s, which is known", when)
		return
	}
	t.Errorf("%s it differs from a cold Blender:%s", when, difference)
}

func TestScriptsEndAsInAColdBlender(t *testing.T) {
	t.Parallel()
	paths := chosen(t, "single")
	b := newBench(t)
	cold := make(map[string]account, len(paths))
	var lock sync.Mutex
	var trying sync.WaitGroup
	for _, path := range paths {
		script := b.lay(t, path)
		trying.Go(func() {
			a := b.cold(t, script)
			lock.Lock()
			defer lock.Unlock()
			cold[path] = a
		})
	}
	trying.Wait()
	for _, isolation := range []api.Isolation{api.IsolateProcess, api.IsolateScene} {
		t.Run(isolation.String(), func(t *testing.T) {
			f := b.tried(t)
			rounds := []string{"alone", "again"}
			for _, path := range paths {
				t.Run(nameOf(path), func(t *testing.T) {
					for _, round := range rounds {
						compare(t, isolation, nameOf(path), round, b.warm(t, f, isolation, b.lay(t, path)), cold[path])
					}
				})
			}
			for _, path := range slices.Backward(paths) {
				t.Run(nameOf(path), func(t *testing.T) {
					compare(t, isolation, nameOf(path), "backwards", b.warm(t, f, isolation, b.lay(t, path)), cold[path])
				})
			}
		})
	}
}

func TestAScriptIsNothingToTheNext(t *testing.T) {
	t.Parallel()
	paths := chosen(t, "pairs")
	b := newBench(t)
	cold := make(map[string][2]account, len(paths))
	var lock sync.Mutex
	var trying sync.WaitGroup
	pair := func(path string) (folder string) {
		folder = t.TempDir()
		for _, name := range []string{"1.py", "2.py"} {
			b.layInto(t, filepath.Join(path, name), filepath.Join(folder, name))
		}
		return folder
	}
	for _, path := range paths {
		folder := pair(path)
		trying.Go(func() {
			first := b.cold(t, filepath.Join(folder, "1.py"))
			second := b.cold(t, filepath.Join(folder, "2.py"))
			lock.Lock()
			defer lock.Unlock()
			cold[path] = [2]account{first, second}
		})
	}
	trying.Wait()
	for _, isolation := range []api.Isolation{api.IsolateProcess, api.IsolateScene} {
		t.Run(isolation.String(), func(t *testing.T) {
			f := b.tried(t)
			for _, path := range paths {
				t.Run(nameOf(path), func(t *testing.T) {
					folder := pair(path) // the same for both orders: a script may read what the other wrote
					for _, step := range []struct {
						when   string
						script int
					}{{"first", 0}, {"then", 1}, {"the other way round", 0}} {
						script := filepath.Join(folder, []string{"1.py", "2.py"}[step.script])
						compare(t, isolation, nameOf(path), step.when, b.warm(t, f, isolation, script), cold[path][step.script])
					}
				})
			}
		})
	}
}

func TestAScriptBesideAModuleOfPythonBreaksNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	folder := filepath.Join(t.TempDir(), "shadowed")
	if err := os.CopyFS(folder, os.DirFS("testdata/cases/folders/shadowed-stdlib")); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(folder, "first", "a.py"), filepath.Join(folder, "second", "b.py")
	cold := b.cold(t, second)
	for _, isolation := range []api.Isolation{api.IsolateProcess, api.IsolateScene, api.IsolateKeep} {
		f := b.tried(t)
		if got := b.warm(t, f, isolation, first).lines; !slices.Equal(got, []string{"imported x"}) {
			t.Errorf("%s: the first script says %q", isolation, got)
		}
		compare(t, isolation, "shadowed-stdlib", isolation.String(), b.warm(t, f, isolation, second), cold)
	}
}

func TestAnEditedAddOnAndAnEditedHelperAreReadAfresh(t *testing.T) {
	t.Parallel()
	for _, isolation := range []api.Isolation{api.IsolateProcess, api.IsolateScene, api.IsolateKeep} {
		t.Run(isolation.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			scripts := filepath.Join(t.TempDir(), "scripts")
			if err := os.CopyFS(scripts, os.DirFS("testdata/cases/folders/edited-addon")); err != nil {
				t.Fatal(err)
			}
			f := serveWith(t, api.BlenderSettings{FactoryStartup: true}, api.FleetSettings{Ahead: 1}, func(c *blender.Config) {
				c.Env = []string{"TMPDIR=" + b.temp, "BLENDER_USER_SCRIPTS=" + scripts}
			})
			for _, file := range []struct{ script, part, says string }{
				{"enable.py", "addons/case_addon/part.py", "value"}, {"tools/use.py", "tools/tool.py", "tool"},
			} {
				if isolation == api.IsolateKeep && file.says == "value" {
					continue // the add-on stays enabled
				}
				for _, value := range []string{"1", "2", "3"} {
					part := filepath.Join(scripts, file.part)
					if err := os.WriteFile(part, []byte("# expect: an edited file\nVALUE = "+value+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					got := b.warm(t, f, isolation, filepath.Join(scripts, file.script)).lines
					if want := file.says + " " + value; !slices.Equal(got, []string{want}) {
						t.Errorf("%s says %q, want %q", file.script, got, want)
					}
				}
			}
		})
	}
}

// try has a fleet execute code in a scene and returns what it printed. A Blender that refuses the run
// is replaced.
func (b *bench) try(t *testing.T, f *Fleet, code, scene string, isolation api.Isolation) string {
	t.Helper()
	req := blender.Request{ID: "try", Code: []byte(code), Scene: scene, Isolation: isolation}
	for attempt := 1; ; attempt++ {
		r := newRecorder()
		out, err := f.Run(t.Context(), req, r)
		if errors.Is(err, blender.ErrNotStarted) && attempt < attempts {
			continue
		}
		if err != nil || out.Verdict != blender.Succeeded {
			t.Fatalf("%s: %+v %+v, %v", code, out, out.Error, err)
		}
		return strings.TrimSpace(r.output())
	}
}

func TestABlenderThatCanNotBeCleanedIsReplacedBeforeTheNextScript(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.tried(t)
	const who = "import os; print(os.getpid())"
	for name, code := range map[string]string{
		"an add-on that ends Blender when it is disabled": "import sys, types\naddon = types.ModuleType('case_ends')\n" +
			"addon.__addon_enabled__ = True\naddon.unregister = lambda: sys.exit(3)\nsys.modules['case_ends'] = addon\n",
		"a class of Blender that is gone": "import bpy; bpy.utils.unregister_class(bpy.types.OBJECT_PT_display)\n",
		"a thread that does not end":      "import ctypes, threading\nthreading.Thread(target=ctypes.CDLL(None).sleep, args=(1000,), daemon=True).start()\n",
	} {
		first := b.try(t, f, code+who, "fresh", api.IsolateScene)
		if next := b.try(t, f, who, "fresh", api.IsolateScene); next == first {
			t.Errorf("after %s the next script is in the same Blender", name)
		}
		if again := b.try(t, f, who, "fresh", api.IsolateScene); again == first {
			t.Errorf("after %s a later script is in the same Blender", name)
		}
	}
	// What can be put back costs no Blender.
	first := b.try(t, f, "import bpy, random; bpy.types.Scene.case = 1; random.seed(1)\n"+who, "fresh", api.IsolateScene)
	if next := b.try(t, f, who, "fresh", api.IsolateScene); next != first {
		t.Errorf("Blender was replaced: %s, then %s", first, next)
	}
}

func TestASceneFromAFileRunsNoScriptOfTheFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.tried(t)
	look := "import bpy; print('CASE' in bpy.app.driver_namespace)"
	trust := fmt.Sprintf("import bpy; bpy.ops.wm.open_mainfile(filepath=%q, use_scripts=True); print('CASE' in bpy.app.driver_namespace)", b.embedded)
	for _, isolation := range []api.Isolation{api.IsolateProcess, api.IsolateScene, api.IsolateKeep} {
		if got := b.try(t, f, trust, "fresh", isolation); !strings.HasSuffix(got, "True") {
			t.Errorf("%s: a script that allows it sees %q", isolation, got)
		}
		if got := b.try(t, f, look, b.embedded, isolation); got != "False" {
			t.Errorf("%s: the scene's script has run: %q", isolation, got)
		}
	}
}
