//go:build unix

package addon

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// journal makes an empty journal and a watched folder, and returns them as fields of a run.
func journal(t *testing.T) (fields message, file, watched string) {
	t.Helper()
	file = writeFile(t, filepath.Join(t.TempDir(), "journal"), "")
	watched = t.TempDir()
	return message{"journal": file, "watched": []string{watched}}, file, watched
}

// linesOf returns the lines of a journal by their first words; numbers are replaced.
func linesOf(t *testing.T, file string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(unspelled(string(text)).(string)) {
		parts := strings.Split(strings.TrimSpace(line), " ")
		if parts[0] == "wrote" {
			parts = []string{"wrote", parts[3]}
		}
		if parts[0] == "ended" {
			parts = []string{"ended", parts[2]}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	return lines
}

func TestAJournalTellsWhatARunDoes(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fields, file, dir := journal(t)
	link := filepath.Join(t.TempDir(), "link")
	found := s.succeed(`
import os, pathlib, subprocess, sys
watched, link, journal = sys.argv[-3:]
result = open(journal).read()
os.chdir(watched)
open("a.py", "w").write("x = 1")
open("a.py").read()
with open(os.path.join(watched, "b.tmp"), "ab") as f: f.write(b"y")
os.replace("b.tmp", "b.py")
pathlib.Path("c.py").touch()
open(os.devnull, "w").close()
os.makedirs("sub/deep")
if os.name == "posix":  # Wine has no links, and Windows no such programs
    os.symlink(watched, link)
else:
    link = watched
open(os.path.join(link, "d.py"), "w").close()
subprocess.run([sys.executable, "-c", ""] if os.name == "nt" else ["true"])
os.system("cd" if os.name == "nt" else "true")
`, fields, message{"args": []string{dir, link, file}})
	check(t, "the journal at the first line", found, "begun\n")
	wrote := func(name string) string { return `wrote "` + filepath.Join(dir, name) + `"` }
	check(t, "the journal", linesOf(t, file), []string{
		"begun", wrote("a.py"), wrote("b.tmp"), wrote("b.py"), wrote("c.py"), wrote("d.py"), "child", `ended "succeeded",`,
	})
}

// Blender saves text blocks in C, of which Python hears nothing.
func TestAJournalTellsOfTheTextBlocksThatBlenderSaves(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fields, file, dir := journal(t)
	found := s.succeed(`
import bpy, os, sys, warnings
os.chdir(sys.argv[-1])
with open(sys.argv[-1] + "/a.py", "w") as f: f.write("# a\n")
text = bpy.data.texts.load(sys.argv[-1] + "/a.py")
other = bpy.data.texts.new("other")
def edit(line):
    text.write(line)
    return text
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    override = bpy.context.temp_override
    with override(edit_text=edit("one\n")): bpy.ops.text.save()
    if bpy.app.version < (4, 0, 0): # older scripts do it like this
        bpy.ops.text.save({"edit_text": edit("two\n")})
    else:
        with override(edit_text=edit("two\n")): bpy.ops.text.save()
    if getattr(bpy.app, "module", False):
        # Nothing draws an area in the module, where Blender 5.0 has once crashed in this test.
        with override(edit_text=edit("three\n")):
            bpy.ops.text.save()
            bpy.ops.text.save_as(filepath=sys.argv[-1] + "/b.py")
    else:
        window = bpy.context.window_manager.windows[0]
        area = window.screen.areas[0]
        area.type = "TEXT_EDITOR"
        area.spaces.active.text = edit("three\n")
        with override(window=window, area=area):
            bpy.ops.text.save()
            bpy.ops.text.save_as(filepath=sys.argv[-1] + "/b.py")
    bpy.ops.text.save.poll()
# A warning of Blender names the line of the script.
result = all(w.filename == __file__ for w in caught) and open("b.py").read().count("three")
`, fields, message{"args": []string{dir}})
	check(t, "the text", found, float64(1))
	a, b := `wrote "`+filepath.Join(dir, "a.py")+`"`, `wrote "`+filepath.Join(dir, "b.py")+`"`
	check(t, "the journal", linesOf(t, file), []string{"begun", a, a, a, a, b, `ended "succeeded",`})
}

func TestAJournalTellsOfARunThatDoesNotBegin(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fields, file, _ := journal(t)
	s.fail("pass", fields, message{"scene": filepath.Join(t.TempDir(), "none.blend")})
	check(t, "the journal", linesOf(t, file), []string{`ended "failed",`})
}

func TestARunWhoseJournalIsGoneRunsAllTheSame(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fields, file, dir := journal(t)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.succeed(`import sys; open(sys.argv[-1] + "/a.py", "w").close()`, fields, message{"args": []string{dir}})
	if _, err := os.Stat(file); err == nil {
		t.Error("Blender has made the journal, which the engine takes for a proof")
	}
}

func TestARunTellsWhichModulesOfWatchedFoldersItHasImported(t *testing.T) {
	s := connect(t, sharedBlender(t))
	fields, _, dir := journal(t)
	sums := map[string]string{}
	for name, code := range map[string]string{
		"_a.py": "x = 1\n", "_pkg/__init__.py": "", "_pkg/b.py": "from .c import y\n", "_pkg/c.py": "y = 2\n",
		"_broken.py": "x = (\n", "other.py": "z = 3\n", "_late.py": "import _a\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, code)
		sums[path] = fmt.Sprintf("%x", sha256.Sum256([]byte(code)))
	}
	said := func(code, isolation string, names ...string) {
		t.Helper()
		m := s.run(code, fields, message{"file": filepath.Join(dir, "script.py"), "isolation": isolation})
		want := []any{}
		for _, name := range names {
			path := filepath.Join(dir, name)
			want = append(want, []any{path, sums[path]})
		}
		check(t, code, m["imports"], want)
	}
	for _, isolation := range []string{"scene", "keep"} {
		said("", isolation)
		for range 2 { // the second time they are loaded already
			said("import _a, json", isolation, "_a.py")
			said("import _pkg.b", isolation, "_pkg/__init__.py", "_pkg/b.py", "_pkg/c.py")
			said("from other import z", isolation, "other.py")
			said("def f():\n    import importlib; importlib.import_module('_late')\nf()", isolation, "_a.py", "_late.py")
		}
		said("import _broken", isolation, "_broken.py")
		said("x = 1", isolation)
	}
}
