package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// A run may say in which Blender it is to be executed: by the name of a Blender, or by a version,
// which means the newest Blender of that version. What the run's client says goes before the
// comment in the script, and the comment before the setting of the folder.

const (
	// lookAge is how old may be what is known of the Blenders on this machine when a run names a
	// version; missAge is the same when no known Blender has the version.
	lookAge = time.Minute
	missAge = 2 * time.Second
	// lookLimit is how long a look at the Blenders on this machine may take: each program is asked
	// for its version, all at the same time.
	lookLimit = 20 * time.Second
	// missEvery is how often the engine looks again for a Blender that a folder names and that is
	// not there.
	missEvery = time.Minute
	// restAfter is how long after its last run a Blender rests that no folder names.
	restAfter = 10 * time.Minute
)

// machine is what is known of the Blenders on this machine.
type machine struct {
	// looking is held during a look. It is taken before Engine.turn.
	looking sync.Mutex

	// Engine.mu guards the following fields.

	at    time.Time                // when the last look ended
	named map[string]blender.Found // the programs of the Blenders of the settings, by name
	found []blender.Found          // the programs that the system has and that work, the newest first
}

// asksFor matches the line of a script that names its Blender.
var asksFor = regexp.MustCompile(`^#[ \t]*blender:[ \t]*([A-Za-z0-9._-]{1,32})[ \t\r]*$`)

// commentLines is among how many lines of a script the comment is looked for.
const commentLines = 50

// askedIn returns the Blender that a comment "# blender: NAME" in a script names, or "". The comment
// stands among the lines before the first code. A comment with other words behind the colon is
// none.
func askedIn(code []byte) string {
	code = bytes.TrimPrefix(code, []byte("\ufeff"))
	for range commentLines {
		line, rest, more := bytes.Cut(code, []byte("\n"))
		line = bytes.TrimRight(line, " \t\r\f")
		if m := asksFor.FindSubmatch(line); m != nil {
			return string(m[1])
		}
		if len(line) > 0 && line[0] != '#' || !more {
			return ""
		}
		code = rest
	}
	return ""
}

// candidate is a Blender that may be meant by a version.
type candidate struct {
	name  string // of a Blender of the settings; "" for one that the system has
	found blender.Found
}

// newestOf returns the newest Blender of a version. Of several that are equally new, the first
// counts. ok is false when there is none.
func newestOf(all []candidate, version string) (best candidate, ok bool) {
	for _, c := range all {
		if c.found.Error == "" && api.IsOfVersion(c.found.Version, version) && (!ok || blender.Newer(c.found.Version, best.found.Version) < 0) {
			best, ok = c, true
		}
	}
	return best, ok
}

// candidatesLocked returns the Blenders that a version may mean: those of the settings, in their
// order, and those that the system has. It needs mu.
func (e *Engine) candidatesLocked() (all []candidate) {
	for _, w := range e.workers {
		if found, ok := e.machine.named[w.name]; ok && !w.retired && !w.found {
			all = append(all, candidate{w.name, found})
		}
	}
	for _, found := range e.machine.found {
		all = append(all, candidate{"", found})
	}
	return all
}

// chooseBlender returns the name of the Blender that a run asks for: by a name, by a version, or by
// "", which is the default Blender. A Blender of the version that the settings do not name, and the
// system has, becomes one of the engine's. chooseBlender fails with [api.ErrNoBlender] when there is
// no such Blender, and says which there are. It may take as long as Blenders take to say their
// version. It needs no lock, and turn must be free.
func (e *Engine) chooseBlender(ctx context.Context, ask string) (string, error) {
	e.mu.Lock()
	w := e.workerLocked(ask)
	e.mu.Unlock()
	if w != nil {
		return w.name, nil
	}
	if isAlwaysThere(ask) || ask == "" {
		return ask, nil
	}
	for _, age := range []time.Duration{lookAge, missAge} {
		e.look(ctx, age)
		e.mu.Lock()
		best, ok := newestOf(e.candidatesLocked(), ask)
		e.mu.Unlock()
		if ok && best.name != "" {
			return best.name, nil
		}
		if ok {
			return e.employFound(best.found)
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return "", e.noBlenderLocked(ask)
}

// noBlenderLocked returns an [api.ErrNoBlender] that says which Blenders there are. It needs mu.
func (e *Engine) noBlenderLocked(name string) error {
	what := "with the name"
	if api.IsVersion(name) {
		what = "with the name or the version"
	}
	var all, paths []string
	for _, w := range e.workers {
		if w.retired {
			continue
		}
		known := e.machine.named[w.name]
		version, path := cmp.Or(w.status.Version, known.Version), cmp.Or(w.status.Path, known.Path, w.spec.Path)
		facts := slices.DeleteFunc([]string{version, path}, func(s string) bool { return s == "" })
		text := w.name
		if len(facts) > 0 {
			text += " (" + strings.Join(facts, ", ") + ")"
		}
		all, paths = append(all, text), append(paths, path)
	}
	for _, found := range e.machine.found {
		if !slices.Contains(paths, found.Path) {
			all = append(all, found.Version+" ("+found.Path+")")
		}
	}
	return fmt.Errorf("%w: there is no Blender %s %q; there are: %s", api.ErrNoBlender, what, name, strings.Join(all, ", "))
}

// look finds out which Blenders there are and of which versions, unless that was found out not
// longer than age ago. It needs no lock.
func (e *Engine) look(ctx context.Context, age time.Duration) {
	e.machine.looking.Lock()
	defer e.machine.looking.Unlock()
	e.mu.Lock()
	fresh := !e.machine.at.IsZero() && time.Since(e.machine.at) < age
	paths := map[string]string{}
	for _, w := range e.workers {
		if w.spec.Kind() == api.BlenderOwn && !w.found && !w.retired {
			paths[w.name] = w.spec.Path
		}
	}
	e.mu.Unlock()
	if fresh {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex
	named := map[string]blender.Found{}
	if e.cfg.ChooseBlender != nil {
		for name, path := range paths {
			asking.Go(func() {
				found, err := e.cfg.ChooseBlender(ctx, path)
				if err != nil {
					found.Error = err.Error()
				}
				mu.Lock()
				named[name] = found
				mu.Unlock()
			})
		}
	}
	var all []blender.Found
	if e.cfg.FindBlenders != nil {
		asking.Go(func() {
			var err error
			if all, err = e.cfg.FindBlenders(ctx); err != nil {
				e.log.Warn("cannot look for Blenders", "error", err)
			}
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return // what was found may be half of what there is
	}
	all = slices.DeleteFunc(all, func(f blender.Found) bool { return f.Error != "" })
	e.mu.Lock()
	defer e.mu.Unlock()
	e.machine.at, e.machine.named, e.machine.found = time.Now(), named, all
}

// forgetMachineLocked has the next run that names a version look at the machine anew. It needs mu.
func (e *Engine) forgetMachineLocked() { e.machine.at = time.Time{} }

// nameOfFound returns the name of a Blender that the settings do not name: its version. A name
// that another Blender has gets a number.
func nameOfFound(version string, taken func(name string) bool) string {
	clean := strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(version, "-"), ".-")
	clean = clean[:min(len(clean), 28)]
	name := clean
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s-%d", clean, i)
	}
	return name
}

// employFound makes a Blender that the system has one of the engine's, unless it is one, and returns
// its name. It needs no lock, and turn must be free.
func (e *Engine) employFound(found blender.Found) (string, error) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.mu.Lock()
	base, stopping := e.base, e.stopping
	for _, w := range e.workers {
		if w.found && !w.retired && w.spec.Path == found.Path {
			e.mu.Unlock()
			return w.name, nil
		}
	}
	name := nameOfFound(found.Version, func(name string) bool {
		return slices.ContainsFunc(e.workers, func(w *worker) bool { return w.name == name })
	})
	e.mu.Unlock()
	if stopping {
		return "", api.ErrStopping
	}
	w := newWorker(e, foundSpec(base, name, found.Path))
	w.found, w.resting = true, true
	e.mu.Lock()
	e.workers = append(slices.Clone(e.workers), w)
	e.machine.named[name] = found
	e.mu.Unlock()
	e.employLocked(w)
	return name, nil
}

// foundSpec returns the specification of a Blender that the settings do not name: the specification of
// the default Blender, without what only a single Blender can have.
func foundSpec(base api.BlenderSpec, name, path string) api.BlenderSpec {
	spec := base
	spec.Name, spec.Path, spec.Attach, spec.Port = name, path, false, 0
	spec.Dir = filepath.Join(filepath.Dir(base.Dir), name)
	return spec
}

// arrangeBlenders finds out which Blenders the folders name, until ctx ends: whenever the settings
// have changed, and every minute while a folder names one that is not there.
func (e *Engine) arrangeBlenders(ctx context.Context) {
	e.adoptQueued(ctx)
	for {
		e.lookAtNamed(ctx)
		var again <-chan time.Time
		if e.chooseForFolders(ctx) {
			again = time.After(missEvery)
		}
		select {
		case <-e.arrange:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// lookAtNamed finds out of which versions the Blenders are that the settings name beside the default
// one, so that the status tells of those that rest.
func (e *Engine) lookAtNamed(ctx context.Context) {
	e.mu.Lock()
	rests := slices.ContainsFunc(e.workers, func(w *worker) bool { return w.resting && !w.found })
	before := e.machine.at
	e.mu.Unlock()
	if !rests {
		return
	}
	e.look(ctx, lookAge)
	e.mu.Lock()
	changed := !e.machine.at.Equal(before)
	e.mu.Unlock()
	if changed {
		e.hub.publish(api.Event{Kind: api.KindFolders}) // clients ask for the status again
	}
}

// chooseForFolders notes for each folder which Blender executes its runs, or why there is none, has
// these Blenders wait for runs and others rest, and reports whether a folder's Blender is missing.
func (e *Engine) chooseForFolders(ctx context.Context) (missing bool) {
	e.mu.Lock()
	asks := map[string]string{}
	for path, f := range e.folders {
		if f.policy.Farm {
			f.blender, f.noBlender = api.FarmBlender(f.policy.Blender), ""
			continue
		}
		asks[path] = f.policy.Blender
	}
	e.mu.Unlock()
	type choice struct {
		name string
		err  error
	}
	chosen := map[string]choice{}
	for _, ask := range asks {
		if _, ok := chosen[ask]; !ok {
			name, err := e.chooseBlender(ctx, ask)
			chosen[ask] = choice{name, err}
		}
	}
	if ctx.Err() != nil {
		return false
	}
	changed := false
	needed := map[string]bool{}
	var said []string
	e.mu.Lock()
	for path, f := range e.folders {
		c, ok := chosen[f.policy.Blender]
		if !ok || f.policy.Farm {
			continue // its setting has just changed, and arrange has a signal
		}
		why := ""
		if c.err != nil {
			why, missing = "its scripts do not run: "+reasonOf(c.err), true
		}
		if why != "" && why != f.noBlender {
			said = append(said, path+": "+why)
		}
		changed = changed || why != f.noBlender
		f.blender, f.noBlender = c.name, why
		needed[c.name] = true
	}
	e.needed = needed
	e.wakeWorkersLocked()
	e.mu.Unlock()
	for _, text := range said {
		e.warn(text)
	}
	e.expect()
	if changed {
		e.hub.publish(api.Event{Kind: api.KindFolders})
	}
	return missing
}

// reasonOf returns the text of an [api.ErrNoBlender] without the words that all have.
func reasonOf(err error) string {
	return strings.TrimPrefix(err.Error(), api.ErrNoBlender.Error()+": ")
}

// adoptQueued has Blenders that the system has execute the runs that the last engine queued for
// them, and refuses the runs whose Blender is not there any more.
func (e *Engine) adoptQueued(ctx context.Context) {
	e.mu.Lock()
	var names []string
	for _, j := range e.queue.jobs {
		if e.isOrphanLocked(j) && !slices.Contains(names, j.run.Blender) {
			names = append(names, j.run.Blender)
		}
	}
	e.mu.Unlock()
	chosen := map[string]string{}
	for _, name := range names {
		if !api.IsVersion(name) {
			continue
		}
		if to, err := e.chooseBlender(ctx, name); err == nil && to != name { // under the same name the runs find it; without it they are refused
			chosen[name] = to
		}
	}
	if ctx.Err() != nil {
		return
	}
	e.turn.Lock()
	defer e.turn.Unlock()
	for from, to := range chosen {
		e.moveQueuedLocked(from, to)
	}
	e.refuseOrphansLocked()
}

// moveQueuedLocked gives the queued runs of the Blender from to the Blender to. The settings have given
// that Blender a name since the runs were queued. It needs turn.
func (e *Engine) moveQueuedLocked(from, to string) {
	e.mu.Lock()
	var moved []*job
	for _, j := range e.queue.jobs {
		if j.run.Blender == from {
			moved = append(moved, j)
		}
	}
	e.mu.Unlock()
	_ = e.writeLaterLocked() // it is tried again
	for _, j := range moved {
		if err := e.store.setBlender(j.id, to); err != nil {
			e.log.Warn("cannot write down that a run has another Blender", "run", j.run.ID, "error", err)
		}
		e.mu.Lock()
		e.queue.remove(j)
		j.run.Blender = to
		e.queue.push(j)
		r := e.snapshotLocked(j)
		e.mu.Unlock()
		e.publishRun(r)
	}
	e.wakeWorkers()
}

// isOrphanLocked reports whether there is no Blender of the name that a queued run asks for. It
// needs mu.
func (e *Engine) isOrphanLocked(j *job) bool {
	return !isAlwaysThere(j.run.Blender) && e.workerLocked(j.run.Blender) == nil
}

// refuseOrphansLocked ends the queued runs whose Blender is not there any more. It needs turn.
func (e *Engine) refuseOrphansLocked() {
	var over []*job
	e.mu.Lock()
	for _, j := range e.queue.jobs {
		if e.isOrphanLocked(j) && !e.stopping {
			over = append(over, j)
		}
	}
	reasons := make([]string, len(over))
	for i, j := range over {
		reasons[i] = "not run: " + reasonOf(e.noBlenderLocked(j.run.Blender))
	}
	e.mu.Unlock()
	for i, j := range over {
		e.endLocked(j, api.Run{State: api.Cancelled, Reason: reasons[i]})
	}
}

// choice is which Blender executes the run of a save, or why there is none.
type choice struct {
	name string
	err  error
}

// chooseForSave returns which Blender is to execute the run of a save: the one that a comment in the
// script names, else the one of the folder. It needs no lock, and turn must be free.
func (e *Engine) chooseForSave(ctx context.Context, folder string, code []byte) choice {
	ask, farm := askedIn(code), false
	e.mu.Lock()
	if f := e.folders[folder]; f != nil {
		ask, farm = cmp.Or(ask, f.policy.Blender), f.policy.Farm
	}
	e.mu.Unlock()
	asked, asksFarm := api.FarmAsks(ask)
	switch {
	case farm && asksFarm:
		return choice{name: api.FarmBlender(asked)}
	case farm:
		return choice{name: api.FarmBlender(ask)}
	case asksFarm:
		return choice{err: fmt.Errorf("%w: no comment sends a script to the farm; the setting farm of its folder does", api.ErrNoBlender)}
	}
	name, err := e.chooseBlender(ctx, ask)
	return choice{name, err}
}

// noBlender returns the error of a run that no Blender can execute.
func noBlender(err error) *api.ScriptError {
	return &api.ScriptError{Type: "NoBlender", Message: "nothing was executed: " + reasonOf(err)}
}

// isNoBlender reports whether an error is about a Blender that is not there.
func isNoBlender(err error) bool { return errors.Is(err, api.ErrNoBlender) }
