//go:build linux

package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
)

// sees prints what a script can see of its process, a line for each thing. It imports nothing
// before it has looked at what is imported.
const sees = `# expect: what a script sees of its process
import sys
seen = {}
seen["modules"] = sorted(sys.modules)
import bpy, faulthandler, gc, os, signal, tempfile, threading
seen["threads"] = [t.name for t in threading.enumerate()]
for number in range(1, 32):
    seen["signal %d" % number] = str(signal.getsignal(number))
seen["signal mask"] = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
seen["faulthandler"] = faulthandler.is_enabled()
seen["descriptors"] = sorted(os.listdir("/proc/self/fd"))
seen["environment"] = sorted(n + "=" + v for n, v in os.environ.items() if n not in ("OLDPWD", "PWD", "_", "SHLVL", "PATH"))
seen["temporary folder"] = tempfile.gettempdir() == os.environ["TMPDIR"]
seen["arguments"] = sys.argv[sys.argv.index("--python"):]
seen["command line"] = sys.argv[:sys.argv.index("--python")]
seen["paths"] = sys.path
seen["path hooks"] = [getattr(hook, "__qualname__", "") for hook in sys.path_hooks]
seen["importers"] = sorted(sys.path_importer_cache)
seen["finders"] = [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path]
for name in ("stdin", "stdout", "stderr"):
    stream = getattr(sys, name)
    for what in ("encoding", "errors", "line_buffering", "mode", "name", "closed"):
        seen[name + " " + what] = str(getattr(stream, what, ""))
    seen[name + " kind"] = type(stream).__name__ + type(stream.buffer).__name__ + str(getattr(sys, "__" + name + "__") is stream)
seen["builtins"] = type(__builtins__).__name__, sorted(vars(sys.modules["builtins"]))
seen["globals"] = sorted(n for n in globals() if n.startswith("__"))
seen["frames"] = 0
frame = sys._getframe()
while frame.f_back:
    frame = frame.f_back
    seen["frames"] += 1
seen["collection"] = gc.isenabled(), gc.get_threshold()
seen["frozen"] = gc.get_freeze_count() > 0
handlers = bpy.app.handlers
seen["handlers"] = sorted(n for n in dir(handlers) if isinstance(getattr(handlers, n), list) and getattr(handlers, n))
seen["scene properties"] = sorted(bpy.types.Scene.bl_rna.properties.keys())
seen["operators"] = sorted(dir(bpy.ops))
seen["types"] = sorted(dir(bpy.types))
seen["add-ons"] = sorted(bpy.context.preferences.addons.keys())
seen["timers"] = str(bpy.app.timers.is_registered(print))
for name in ("getrecursionlimit", "getswitchinterval", "gettrace", "getprofile"):
    seen[name] = getattr(sys, name)()
for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook"):
    seen[name] = getattr(getattr(sys, name), "__qualname__", "")
seen["flags"] = str(sys.flags)
seen["bytecode"] = sys.dont_write_bytecode, sys.pycache_prefix
seen["umask"] = os.umask(0o22)
os.umask(seen["umask"])
seen["limits"] = __import__("resource").getrlimit(__import__("resource").RLIMIT_CORE)
seen["session"] = os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()
seen["priority"] = os.getpriority(os.PRIO_PROCESS, 0)
seen["objects"] = sorted(o.name for o in bpy.data.objects)
seen["file"] = bpy.data.filepath, bpy.data.is_dirty
for name, value in seen.items():
    print(name, "=", value)
`

// tells are the things by which a script can tell the Blender of an isolated run from a cold Blender;
// docs/scripting.md names each.
var tells = []string{
	"modules", "threads", "signal 23", "faulthandler", "descriptors", "paths", "path hooks", "importers",
	"stdout errors", "stdout line_buffering", "frames", "frozen", "handlers", "scene properties", "operators", "types",
	"command line",
}

func TestWhatAScriptCanTellFromAColdBlenderIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.tried(t)
	script := filepath.Join(t.TempDir(), "probe.py")
	if err := os.WriteFile(script, []byte(sees), 0o600); err != nil {
		t.Fatal(err)
	}
	things := func(lines []string) map[string]string {
		all := map[string]string{}
		for _, line := range lines {
			if name, value, ok := strings.Cut(line, " = "); ok {
				all[name] = value
			}
		}
		return all
	}
	got, cold := things(b.warm(t, f, api.IsolateProcess, script).lines), things(b.cold(t, script).lines)
	if len(cold) < 50 {
		t.Fatalf("the script sees %d things", len(cold))
	}
	for name, value := range cold {
		if got[name] != value && !slices.Contains(tells, name) {
			t.Errorf("%s: %s", name, changes(got[name], value))
		}
	}
}

// changes returns which words a text has and another lacks, and the other way round.
func changes(got, want string) string {
	a, b := strings.Fields(got), strings.Fields(want)
	more := slices.DeleteFunc(slices.Clone(a), func(word string) bool { return slices.Contains(b, word) })
	less := slices.DeleteFunc(slices.Clone(b), func(word string) bool { return slices.Contains(a, word) })
	return fmt.Sprintf("has %q, lacks %q", more, less)
}
