package settings

import (
	"bytes"
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"blendtray/pulse"
)

// This file notices when the file of the settings is changed by somebody else.

const (
	// settleTime is how long the file has to be left alone before it is read.
	settleTime = 200 * time.Millisecond
	// unfinishedTime is how long a text that looks as if it were still being written has to stay
	// the same before it is believed.
	unfinishedTime = time.Second
	// pollTime is how often the file is looked at where the system tells of no change: on network
	// drives, and in folders that do not exist yet.
	pollTime = pulse.Slow
)

// Serve notices changes of the file until ctx ends, and has the engine take over what is right.
// It returns nil.
func (o *Owner) Serve(ctx context.Context) error {
	o.follow(ctx, func() bool { return false })
	return nil
}

// Await waits until the settings are right, and returns nil then, or why ctx ended.
func (o *Owner) Await(ctx context.Context) error {
	o.follow(ctx, func() bool { return o.Err() == nil })
	return ctx.Err()
}

// follow looks at the file whenever it changes, until ctx ends or enough is true after a look.
func (o *Owner) follow(ctx context.Context, enough func() bool) {
	n := newNotice(o.cfg.Source.File)
	defer n.close()
	poll := time.NewTimer(pulse.Until(o.poll))
	defer poll.Stop()
	look := time.After(0) // the file may have changed before the system was asked to tell
	var doubted *seen     // what looked unfinished
	for !enough() {
		select {
		case <-ctx.Done():
			return
		case ev := <-n.events:
			if n.means(ev) {
				look = time.After(o.settle)
			}
		case <-n.errors: // events were lost
			look = time.After(o.settle)
		case <-poll.C:
			poll.Reset(pulse.Until(o.poll))
			n.arm()
			if look == nil {
				look = time.After(0)
			}
		case <-look:
			look = nil
			n.arm() // a link may lead elsewhere now
			file := o.cfg.Source.snapshot()
			o.looked(file)
			if !o.isNew(file) {
				doubted = nil
				continue
			}
			if o.looksUnfinished(file) && (doubted == nil || !file.same(*doubted)) {
				doubted, look = &file, time.After(o.unfinished)
				continue
			}
			doubted = nil
			o.Look()
		}
	}
}

// looksUnfinished tells whether a text of the file may be half of what somebody is writing: it is
// wrong, or the beginning of what was there before, as a file is that was emptied to be written
// anew, or that an editor has moved away.
func (o *Owner) looksUnfinished(file seen) bool {
	_, err := o.cfg.Source.load(file)
	o.mu.Lock()
	defer o.mu.Unlock()
	return err != nil || len(file.text) < len(o.seen.text) && bytes.HasPrefix(o.seen.text, file.text)
}

// notice hears of changes in the folders of a file and of what it leads to if it is a link.
type notice struct {
	file    string
	watcher *fsnotify.Watcher // nil when the system has none left
	events  <-chan fsnotify.Event
	errors  <-chan error
	names   map[string]bool // of the file, and of what it leads to
}

func newNotice(file string) *notice {
	n := &notice{file: file, names: map[string]bool{}}
	if w, err := fsnotify.NewWatcher(); err == nil { // else the file is looked at every few seconds
		n.watcher, n.events, n.errors = w, w.Events, w.Errors
	}
	n.arm()
	return n
}

// arm watches the folders that are not watched yet. Editors replace files, so that the folders
// tell more than the file.
func (n *notice) arm() {
	if n.watcher == nil {
		return
	}
	all, err := links(n.file)
	if err != nil {
		all = []string{n.file}
	}
	watched := map[string]bool{}
	for _, folder := range n.watcher.WatchList() {
		watched[folder] = true
	}
	for _, file := range all {
		n.names[filepath.Base(file)] = true
		if folder := filepath.Dir(file); !watched[folder] {
			_ = n.watcher.Add(folder) // it need not exist, and is tried again
		}
	}
}

// means tells whether an event is about the file.
func (n *notice) means(ev fsnotify.Event) bool {
	return n.names[filepath.Base(ev.Name)] && ev.Op != fsnotify.Chmod
}

func (n *notice) close() {
	if n.watcher != nil {
		_ = n.watcher.Close() // nobody listens any more
	}
}
