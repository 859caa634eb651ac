//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"blendtray/api"
)

// installed is a Blender of this machine.
type installed struct{ path, version string }

// blendersOnPath returns the Blenders on the PATH that differ in their version, in its order.
func blendersOnPath(t *testing.T) (all []installed) {
	t.Helper()
	seen := map[string]bool{}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(dir, "blender"))
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--background", "--version").Output()
		said := regexp.MustCompile(`(?m)^Blender (\d+\.\d+\.\d+)`).FindSubmatch(out)
		if err != nil || said == nil || seen[string(said[1])] {
			continue
		}
		seen[string(said[1])] = true
		all = append(all, installed{path, string(said[1])})
	}
	if len(all) == 0 {
		t.Fatal("there is no Blender on the PATH")
	}
	return all
}

// wrapped returns a program that starts a Blender, and by which a script can tell who started it.
func wrapped(t *testing.T, b installed, mark string) installed {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blender")
	text := fmt.Sprintf("#!/bin/sh\nWHICH_BLENDER=%s exec '%s' \"$@\"\n", mark, b.path)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return installed{path, b.version}
}

// whichBlender is a script that says which Blender executes it.
const whichBlender = "import os\nimport bpy\nresult = [os.environ['WHICH_BLENDER'], '.'.join(map(str, bpy.app.version))]\n"

// This test has two versions where `make test-blenders` runs it, with a newer Blender before the
// system's on the PATH. Elsewhere it has one version under two paths.
func TestEachFolderRunsItsScriptsInItsOwnBlender(t *testing.T) {
	t.Parallel()
	all := blendersOnPath(t)
	if len(all) == 1 {
		if os.Getenv("TWO_BLENDERS") != "" {
			t.Fatalf("there is only Blender %s on the PATH, and two versions were promised", all[0].version)
		}
		all = append(all, all[0])
	}
	one, two := wrapped(t, all[0], "one"), wrapped(t, all[1], "two")
	p := newProgram(t, "")
	other, versioned := t.TempDir(), t.TempDir()
	settings := fmt.Sprintf(`# mine
[blender]
path = %q

[blenders.second]
path = %q # beside it

[blenders.unused]
path = %q

[[folder]]
path = %q

[[folder]]
path = %q
blender = "second"

[[folder]]
path = %q
blender = %q
`, one.path, two.path, two.path, p.folder, other, versioned, two.version)
	if err := os.WriteFile(p.config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.eventually("two Blenders are ready and the third rests", func() bool {
		s, ok := p.status()
		if !ok || len(s.Blenders) != 3 {
			return false
		}
		first, second, unused := s.Blenders[0], s.Blenders[1], s.Blenders[2]
		return first.State == api.BlenderReady && second.State == api.BlenderReady && unused.Resting && unused.State == api.BlenderStopped
	})
	s, _ := p.status()
	for _, process := range s.Processes {
		if process.Blender == "unused" {
			t.Errorf("a Blender that nobody uses has a process: %+v", process)
		}
	}
	is := func(what string, run api.Run, name string, want installed, mark string) {
		t.Helper()
		var said []string
		if err := json.Unmarshal(run.Result, &said); err != nil || run.State != api.Succeeded {
			t.Errorf("%s: run %s has %s: %s %+v", what, run.ID, run.State, run.Reason, run.Error)
			return
		}
		if run.Blender != name || run.BlenderVersion != want.version || said[0] != mark || said[1] != want.version {
			t.Errorf("%s: the record says %q, %s; the script %q; want %q, %s, %s", what, run.Blender, run.BlenderVersion, said, name, want.version, mark)
		}
	}
	put := func(dir, name, code string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// The newest of equal versions is the first.
	byVersion, mark := "second", "two"
	if one.version == two.version {
		byVersion, mark = "default", "one"
	}
	a, b, c := put(p.folder, "a.py", whichBlender), put(other, "b.py", whichBlender), put(versioned, "c.py", whichBlender)
	d := put(other, "d.py", "# blender: unused\n"+whichBlender)
	is("the default", p.lastOf(a), "default", one, "one")
	is("by its folder", p.lastOf(b), "second", two, "two")
	is("by the version of its folder", p.lastOf(c), byVersion, two, mark)
	is("by its comment", p.lastOf(d), "unused", two, "two")

	run, _ := p.runJSON("--blender", "second", a)
	is("by the command line", run, "second", two, "two")
	run, _ = p.runJSON("--blender", "default", d)
	is("by the command line against the comment", run, "default", one, "one")
	run, _ = p.runJSON(d)
	is("by the comment, from the command line", run, "unused", two, "two")
	for _, name := range []string{"third", "1.0"} {
		r := p.call("run", "--blender", name, a)
		for _, says := range []string{name, "default (" + one.version + ", " + one.path + ")", "second (" + two.version + ", " + two.path + ")"} {
			if r.code == 0 || !strings.Contains(r.stderr, says) {
				t.Errorf("--blender %s: exit %d, %s does not say %s", name, r.code, r.stderr, says)
			}
		}
	}

	// A Blender comes, is used and goes while the engine runs.
	if r := p.call("settings", "blenders.4.9-x.path", two.path); r.code != 0 {
		t.Fatalf("settings: %s", r.stderr)
	}
	run, _ = p.runJSON("--blender", "4.9-x", a)
	is("by a name that has just come", run, "4.9-x", two, "two")
	if r := p.call("stop", "4.9-x"); r.code != 0 {
		t.Errorf("stop: %s", r.stderr)
	}
	waiting := p.command("run", "--json", "--blender", "4.9-x", a)
	var said strings.Builder
	waiting.Stdout, waiting.Stderr = &said, &said
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("a run waits for it", func() bool { s, _ := p.status(); return s.Queued == 1 })
	if r := p.call("settings", "blenders.4.9-x", "--unset"); r.code != 0 {
		t.Errorf("settings --unset: %s", r.stderr)
	}
	if err := waiting.Wait(); err == nil || !strings.Contains(said.String(), `there is no Blender with the name \"4.9-x\"`) {
		t.Errorf("the run of a Blender that has gone: %v, %s", err, said.String())
	}
	if text, err := os.ReadFile(p.config); err != nil || string(text) != settings {
		t.Errorf("the settings are\n%s\nand not\n%s%v", text, settings, err)
	}
	doctor := p.call("doctor", "--config", p.config).stdout
	for _, says := range []string{
		"Blender " + one.version + " is used: " + one.path, "second: Blender " + two.version + " is used: " + two.path, "its Blender second is ",
	} {
		if !strings.Contains(doctor, says) {
			t.Errorf("doctor does not say %q:\n%s", says, doctor)
		}
	}
}
