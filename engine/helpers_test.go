package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// workshop is an engine whose scripts import modules, which are files in its watched folder.
type workshop struct {
	*house
	mu      sync.Mutex
	imports map[string][]string                       // which modules a script imports, by names
	do      func(req blender.Request, s blender.Sink) // what a run does besides, or nil
	ran     []string                                  // the names of the scripts that have run
}

func newWorkshop(t *testing.T, edit ...func(*Config)) *workshop {
	t.Helper()
	w := &workshop{imports: map[string][]string{}}
	w.house = open(t, edit...)
	w.use(w.house)
	return w
}

// use has a house execute the scripts of the workshop.
func (w *workshop) use(h *house) {
	if err := os.MkdirAll(h.watched, 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.house = h
	h.b.do = func(_ context.Context, req blender.Request, s blender.Sink) (blender.Outcome, error) {
		s.Started(time.Now())
		w.mu.Lock()
		names, do := w.imports[filepath.Base(req.File)], w.do
		w.ran = append(w.ran, filepath.Base(req.File))
		w.mu.Unlock()
		out := blender.Outcome{Verdict: blender.Succeeded, Version: "3.4.1"}
		for _, name := range names {
			code, _ := os.ReadFile(h.path(name))
			out.Imports = append(out.Imports, [2]string{h.path(name), hashOf(code)})
		}
		if do != nil {
			do(req, s)
		}
		return out, nil
	}
	h.serve()
}

// put writes a file, and tells nobody.
func (w *workshop) put(name, code string) string {
	w.t.Helper()
	path := w.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// script saves a script that imports modules, and waits for its run.
func (w *workshop) script(name, code string, imports ...string) {
	w.t.Helper()
	w.mu.Lock()
	w.imports[name] = imports
	n := len(w.ran)
	w.mu.Unlock()
	w.w.save(w.put(name, code), code)
	eventually(w.t, name+" has run", func() bool { return len(w.all()) > n && w.idle() })
}

// idle reports whether no run waits or is running.
func (w *workshop) idle() bool {
	st := w.Status()
	return st.Queued == 0 && st.Running == 0
}

// module is the watcher of modules, which tells of a module.
func (w *workshop) module(name, code string) {
	w.t.Helper()
	path := w.put(name, code)
	eventually(w.t, name+" is watched", func() bool {
		w.w.mu.Lock()
		modules := w.w.modules
		w.w.mu.Unlock()
		return modules != nil && modules.cfg.Only(path)
	})
	w.w.mu.Lock()
	modules := w.w.modules
	w.w.mu.Unlock()
	modules.save(path, code)
}

func (w *workshop) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ran)
}

// wants waits until exactly these scripts have run.
func (w *workshop) wants(names ...string) {
	w.t.Helper()
	eventually(w.t, strings.Join(names, ", ")+" have run", func() bool { return len(w.names()) >= len(names) && w.idle() })
	if got := w.names(); !slices.Equal(got, names) {
		w.t.Fatalf("%q have run, and not %q", got, names)
	}
}

func TestScriptsRunAgainWhenAModuleThatTheyImportHasChanged(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("_a.py", "1")
	w.put("_b.py", "1")
	w.put("plain.py", "1")
	w.script("one.py", "1", "_a.py", "_b.py")
	w.script("two.py", "2", "_b.py", "plain.py")
	w.script("three.py", "3")
	ran := []string{"one.py", "two.py", "three.py"}
	w.wants(ran...)

	w.module("_a.py", "2")
	ran = append(ran, "one.py")
	w.wants(ran...)
	w.module("_a.py", "2") // the same bytes
	// Both together: each script runs once.
	w.module("_a.py", "3")
	w.module("_b.py", "2")
	ran = append(ran, "one.py", "two.py")
	w.wants(ran...)
	// A script that another script imports only runs itself.
	w.w.save(w.put("plain.py", "2"), "2")
	ran = append(ran, "plain.py")
	w.wants(ran...)
	w.module("_b.py", "3")
	ran = append(ran, "one.py", "two.py")
	w.wants(ran...)
	runs, err := w.Runs(ctx, api.Filter{Limit: 1})
	if err != nil || runs[0].Folder != w.watched || runs[0].Source != api.FromModule {
		t.Errorf("the run of a script that runs again: %+v, %v", runs, err)
	}
}

// A module of a package that counts as a script runs as before, and so do the scripts that import it.
func TestAModuleOfAPackageHasItsScriptsRun(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("__init__.py", "")
	w.put("m.py", "1")
	w.script("one.py", "1", "m.py")
	eventually(t, "it is known", func() bool { return w.helpers.watches(w.path("m.py")) })
	w.w.save(w.put("m.py", "2"), "2")
	w.wants("one.py", "m.py", "one.py")
}

func TestScriptsThatWaitForAPersonWaitInTheNextEngine(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t, func(c *Config) { c.Folders[0].OnHelper = api.OnHelperAsk })
	w.put("__init__.py", "") // so m.py is a module and a script, and the watcher of scripts tells of it
	w.put("m.py", "1")
	w.script("one.py", "1", "m.py")
	eventually(t, "it is known", func() bool { return w.helpers.watches(w.path("m.py")) })
	w.w.save(w.put("m.py", "2"), "2")
	waits := func() bool {
		w.Engine.mu.Lock()
		defer w.Engine.mu.Unlock()
		return slices.Equal(w.helpers.waiting[w.watched], []string{w.path("one.py")})
	}
	eventually(t, "one.py waits", waits)
	w.wants("one.py", "m.py")
	w.use(w.again())
	eventually(t, "one.py still waits", waits)
}

func TestAModuleThatChangedWhileNoEngineRanHasItsScriptsRun(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("_a.py", "1")
	w.script("one.py", "1", "_a.py")
	w.script("two.py", "2", "_a.py")
	w.wants("one.py", "two.py")
	next := w.again()
	if err := os.Remove(w.path("two.py")); err != nil {
		t.Fatal(err)
	}
	w.use(next)
	w.module("_a.py", "2") // the scan finds it
	w.wants("one.py", "two.py", "one.py")
}

func TestAModuleThatChangesDuringARunHasTheRunRepeated(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("_a.py", "1")
	w.script("one.py", "1", "_a.py")
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.mu.Lock()
	w.do = func(blender.Request, blender.Sink) {
		once.Do(func() { close(began); <-goOn }) // after the import
	}
	w.mu.Unlock()
	w.module("_a.py", "2")
	<-began
	w.module("_a.py", "3")
	close(goOn)
	w.wants("one.py", "one.py", "one.py")
}

func TestOnHelperSaysWhatAChangedModuleDoes(t *testing.T) {
	t.Parallel()
	var policy api.FolderSettings
	w := newWorkshop(t, func(c *Config) {
		c.Folders[0].OnHelper = api.OnHelperAsk
		policy = c.Folders[0]
	})
	w.put("_a.py", "1")
	w.script("one.py", "1", "_a.py")
	w.script("two.py", "1", "_a.py")
	waiting := func() []string {
		w.Engine.mu.Lock()
		defer w.Engine.mu.Unlock()
		return w.helpers.waiting[w.watched]
	}
	w.module("_a.py", "2")
	eventually(t, "both wait for a person", func() bool { return len(waiting()) == 2 })
	w.script("two.py", "2", "_a.py") // which has the new module
	eventually(t, "one waits", func() bool { return slices.Equal(waiting(), []string{w.path("one.py")}) })
	runs, err := w.RunStale(ctx)
	if err != nil || len(runs) != 1 || runs[0].Script != w.path("one.py") {
		t.Errorf("%+v, %v", runs, err)
	}
	w.wants("one.py", "two.py", "two.py", "one.py")
	eventually(t, "none waits", func() bool { return len(waiting()) == 0 })
	if runs, err := w.RunStale(ctx); err != nil || len(runs) != 0 {
		t.Errorf("with none that waits: %+v, %v", runs, err)
	}
	policy.OnHelper = api.OnHelperOff
	if err := w.SetFolders([]api.FolderSettings{policy}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no module is watched", func() bool { return !w.helpers.watches(w.path("_a.py")) })
}

// writes has each run write a module after its imports, with other bytes each time, as the journal of
// the run tells; script says which module the run of a script writes.
func (w *workshop) writes(modules map[string]string) {
	n := 0
	w.mu.Lock()
	defer w.mu.Unlock()
	w.do = func(req blender.Request, _ blender.Sink) {
		name := modules[filepath.Base(req.File)]
		if name == "" {
			return
		}
		n++
		code := strings.Repeat("x", n)
		path := w.path(name)
		f, err := os.OpenFile(req.Journal, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			w.t.Error(err)
			return
		}
		defer f.Close()
		fmt.Fprintf(f, "wrote 0 %d %q\n", time.Now().UnixNano(), path)
		w.put(name, code)
		w.w.mu.Lock()
		watcher := w.w.modules
		w.w.mu.Unlock()
		if watcher != nil && watcher.cfg.Only(path) {
			watcher.save(path, code)
		}
	}
}

func TestAScriptThatWritesItsOwnModuleIsNotRunAgainForThat(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("_a.py", "1")
	w.script("one.py", "1", "_a.py")
	w.module("_a.py", "2")
	w.wants("one.py", "one.py")
	sub := w.Subscribe(SubscribeOptions{})
	defer sub.Close()
	w.writes(map[string]string{"one.py": "_a.py"})
	w.script("one.py", "2", "_a.py")
	await(t, sub, "a note", func(ev api.Event) bool { return strings.Contains(ev.Message, "one.py has changed _a.py itself") })
	w.wants("one.py", "one.py", "one.py")
}

func TestScriptsThatWriteEachOthersModulesEndAsAChain(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	w.put("_a.py", "1")
	w.put("_b.py", "1")
	w.script("one.py", "1", "_a.py")
	w.script("two.py", "1", "_b.py")
	eventually(t, "both modules are watched", func() bool {
		return w.helpers.watches(w.path("_a.py")) && w.helpers.watches(w.path("_b.py"))
	})
	w.writes(map[string]string{"one.py": "_b.py", "two.py": "_a.py"})
	sub := w.Subscribe(SubscribeOptions{})
	defer sub.Close()
	w.w.save(w.put("one.py", "2"), "2")
	await(t, sub, "the end of the chain", func(ev api.Event) bool {
		return ev.Kind == api.KindRun && ev.Run.State == api.Cancelled && strings.Contains(ev.Run.Reason, "runs in a row")
	})
	if n := len(w.names()); n != 2+maxChain+1 {
		t.Errorf("%d scripts have run", n)
	}
}

func TestAScriptRunsAgainWhenOthersHaveWrittenSeveralOfItsModules(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, name := range []string{"_a.py", "_b.py"} {
		w.put(name, "1")
	}
	w.script("user.py", "1", "_a.py", "_b.py")
	w.script("one.py", "1")
	w.script("two.py", "1")
	eventually(t, "both modules are watched", func() bool {
		return w.helpers.watches(w.path("_a.py")) && w.helpers.watches(w.path("_b.py"))
	})
	w.writes(map[string]string{"one.py": "_a.py", "two.py": "_b.py"})
	w.w.save(w.put("one.py", "2"), "2")
	w.w.save(w.put("two.py", "2"), "2")
	eventually(t, "the script has run with both", func() bool {
		names := w.names()
		return len(names) > 5 && names[len(names)-1] == "user.py" && w.idle()
	})
	runs, err := w.Runs(ctx, api.Filter{Name: w.path("user.py"), Limit: 1})
	if err != nil || len(runs) != 1 || runs[0].Source != api.FromModule || runs[0].WrittenBy == "" {
		t.Errorf("%+v, %v", runs, err)
	}
}
