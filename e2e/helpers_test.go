//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"blendtray/api"
)

// replaceFile puts a file in a place as editors do.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func TestScriptsRunAgainWhenTheirModulesChange(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "")
	module := func(name, text string) { replaceFile(t, filepath.Join(p.folder, name), text) }
	module("_size.py", "SIZE = 1\n")
	module("_lib/__init__.py", "from .deep import DEPTH\n")
	module("_lib/deep.py", "DEPTH = 10\n")
	p.start()
	p.waitReady()
	p.eventually("the folder is watched", func() bool { s, _ := p.status(); return len(s.Folders) == 1 && s.Folders[0].Method != "" })
	a := p.save("a.py", "import _size\nresult = _size.SIZE\n")
	b := p.save("b.py", "import _size, _lib\nresult = _size.SIZE + _lib.DEPTH\n")
	c := p.save("c.py", "result = 0\n")
	for _, path := range []string{a, b, c} {
		p.lastOf(path)
	}
	count := func() map[string]int {
		n := map[string]int{}
		for _, run := range p.runs() {
			n[filepath.Base(run.Script)]++
		}
		return n
	}
	// become waits until the newest runs of both scripts have these results.
	become := func(what string, resultA, resultB int) {
		t.Helper()
		p.eventually(what, func() bool {
			return string(p.lastOf(a).Result) == strconv.Itoa(resultA) && string(p.lastOf(b).Result) == strconv.Itoa(resultB)
		})
	}
	become("both have run", 1, 11)
	module("_size.py", "SIZE = 2\n")
	become("both run again", 2, 12)
	module("_lib/deep.py", "DEPTH = 20\n")
	become("the one that imports the package runs again", 2, 22)
	module("_size.py", "SIZE = 3\n")
	module("_lib/deep.py", "DEPTH = 30\n")
	become("both run again for both modules", 3, 33)
	if n := count(); n["a.py"] != 3 || n["b.py"] != 4 || n["c.py"] != 1 || len(n) != 3 {
		t.Errorf("so often have they run: %v", n)
	}
	// A module with a mistake in it, which is mended.
	module("_size.py", "SIZE = (\n")
	p.eventually("they fail", func() bool { return p.lastOf(a).State == api.Failed && p.lastOf(b).State == api.Failed })
	module("_size.py", "SIZE = 4\n")
	become("they run again", 4, 34)

	// What has changed while no engine ran.
	p.terminate()
	module("_size.py", "SIZE = 5\n")
	p.start()
	p.waitReady()
	become("the engine finds what has changed", 5, 35)

	if r := p.call("folder", "set", p.folder, "--on-helper", "ask"); r.code != 0 {
		t.Fatalf("folder set: %s", r.stderr)
	}
	module("_size.py", "SIZE = 6\n")
	p.eventually("both wait for a person", func() bool { s, _ := p.status(); return len(s.Folders[0].Stale) == 2 })
	if r := p.call("status"); !strings.Contains(r.stdout, "stale "+a) || !strings.Contains(r.stdout, "retry --stale") {
		t.Errorf("status: %s", r.stdout)
	}
	if r := p.call("retry", "--stale"); r.code != 0 || strings.Count(r.stdout, "is queued") != 2 {
		t.Errorf("retry --stale: %s%s", r.stdout, r.stderr)
	}
	become("they have run", 6, 36)
	if r := p.call("retry", "--stale"); r.code != 0 || !strings.Contains(r.stderr, "no script waits") {
		t.Errorf("retry --stale: %s%s", r.stdout, r.stderr)
	}
}
