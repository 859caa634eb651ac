package watcher

import (
	"errors"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// hint is what a source reports about a path.
type hint int

const (
	hintCreated   hint = iota // a name appeared: a file, or perhaps a folder
	hintChanged               // bytes were written
	hintClosed                // a writer closed a file, or a file was moved into place
	hintRights                // what is known of a file beside its bytes has changed, such as who may read it
	hintGone                  // a name disappeared
	hintFolder                // a folder appeared
	hintFolderOff             // a folder was deleted, or moved away with everything in it
	hintSelf                  // a folder that was added was deleted, moved or unmounted itself
	hintLost                  // hints were lost
	hintBroken                // there will be no more hints
)

// hintFunc receives a hint. It never blocks for long.
type hintFunc func(h hint, path string, at time.Time)

// source is where hints come from. Its methods may be called from several goroutines.
type source interface {
	name() string
	// exact reports whether the source sends hintClosed.
	exact() bool
	// add begins to watch what lies directly in a folder, and reports whether what lies at its path
	// now was not watched before. Adding a folder again does no harm, and is needed when another
	// folder has its path now.
	add(dir string) (fresh bool, err error)
	remove(dir string)
	// drain returns when the source has sent all hints of what happened before the call, if the
	// source can find that out.
	drain()
	close()
}

// portable is the source on every system that has no better source.
type portable struct {
	w    *fsnotify.Watcher
	hint hintFunc
	done sync.WaitGroup

	changing sync.Mutex // held while a watch is added or removed
	mu       sync.Mutex
	removals map[string]struct{}
	added    map[string]struct{}
	work     chan struct{}
}

func newPortable(h hintFunc) (source, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	p := &portable{w: w, hint: h, removals: map[string]struct{}{}, added: map[string]struct{}{}, work: make(chan struct{}, 1)}
	p.done.Go(p.read)
	p.done.Go(p.removeAll)
	return p, nil
}

func (p *portable) name() string { return methodFsnotify }
func (p *portable) exact() bool  { return false }
func (p *portable) drain()       {}

// add first removes the watches that are to be removed. Some systems have one watch for a folder
// that was moved, under the first of its names. If that name were removed later, the watch of the
// second name would be gone, too.
func (p *portable) add(dir string) (fresh bool, err error) {
	p.removeNoted()
	p.changing.Lock()
	defer p.changing.Unlock()
	if err := p.w.Add(dir); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, was := p.added[dir]
	p.added[dir] = struct{}{}
	return !was, nil
}

// remove only notes which watch is to be removed. Some systems remove a watch only while their
// events are being read, and the caller may be the reader of events.
func (p *portable) remove(dir string) {
	p.mu.Lock()
	p.removals[dir] = struct{}{}
	delete(p.added, dir)
	p.mu.Unlock()
	poke(p.work)
}

func (p *portable) removeAll() {
	for range p.work {
		p.removeNoted()
	}
}

// removeNoted removes the watches that were noted so far.
func (p *portable) removeNoted() {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.mu.Lock()
	dirs := p.removals
	p.removals = map[string]struct{}{}
	p.mu.Unlock()
	for dir := range dirs {
		_ = p.w.Remove(dir) // it fails when the folder is not watched any more, which is what was wanted
	}
}

func (p *portable) close() {
	_ = p.w.Close() // nothing can be done, and nothing is lost
	close(p.work)
	p.done.Wait()
}

func (p *portable) read() {
	for {
		select {
		case ev, ok := <-p.w.Events:
			if !ok {
				return
			}
			now := time.Now()
			switch {
			case ev.Has(fsnotify.Create):
				p.hint(hintCreated, ev.Name, now)
			case ev.Has(fsnotify.Write):
				p.hint(hintChanged, ev.Name, now)
			case ev.Has(fsnotify.Remove), ev.Has(fsnotify.Rename):
				p.mu.Lock()
				delete(p.added, ev.Name) // if it was watched, it is not any more
				p.mu.Unlock()
				p.hint(hintGone, ev.Name, now)
			case ev.Has(fsnotify.Chmod):
				p.hint(hintRights, ev.Name, now)
			}
		case err, ok := <-p.w.Errors:
			switch {
			case !ok:
				return
			case errors.Is(err, fsnotify.ErrEventOverflow):
				p.hint(hintLost, "", time.Now())
			default:
				p.hint(hintBroken, "", time.Now())
			}
		}
	}
}
