// Package reference answers questions about the Python API of Blender builds, also while every Blender
// is busy: it has the API of a build written down once by a Blender of its own, keeps that text
// compressed in a folder, and searches it in memory. It also knows by which names of one version the
// names of other versions were replaced. The package starts no Blender itself and executes nothing of
// what it is asked.
//
//	l := reference.New(reference.Config{Dir: dir, Write: blender.WriteReference})
//	defer l.Close()
//	found, err := l.Ask(ctx, "/usr/bin/blender", api.ReferenceQuery{Path: "Object.location"})
package reference

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

const (
	// restTime is for how long an API stays in memory after a question.
	restTime = 5 * time.Minute
	// keptBuilds is of how many builds the API stays in the folder, and inMemory of how many it stays in
	// memory: a text has some 5 MB.
	keptBuilds = 12
	inMemory   = 2
	// format is part of the name of each file, so that a newer program does not read an older text.
	format = "1"
)

// Config holds what [New] needs for a [Library].
type Config struct {
	// Dir is the folder of the texts, which is made when it is needed.
	Dir string
	// Write has the Blender at program write its API to a file, as addon/tcp_echo/reference.py does.
	Write func(ctx context.Context, program, to string) error
	// Rest is for how long an API stays in memory after a question; 0 is 5 minutes.
	Rest time.Duration
	// Logger may be nil.
	Logger *slog.Logger
}

// Library has the APIs of Blender builds. Many goroutines may use it.
type Library struct {
	cfg   Config
	ctx   context.Context // ends with Close
	close context.CancelFunc
	work  sync.WaitGroup

	mu     sync.Mutex
	copies map[string]*copyOf // by the identity of the build
	closed bool
}

// copyOf is the API of a build in memory, or on its way there.
type copyOf struct {
	ready chan struct{} // closed when book or err is there
	book  *book
	err   error
	used  time.Time
	rest  *time.Timer
}

// New returns a Library.
func New(c Config) *Library {
	if c.Rest == 0 {
		c.Rest = restTime
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Library{cfg: c, ctx: ctx, close: cancel, copies: map[string]*copyOf{}}
}

// Close ends what is being written, and returns when it has ended.
func (l *Library) Close() {
	l.mu.Lock()
	l.closed = true
	for _, c := range l.copies {
		if c.rest != nil {
			c.rest.Stop()
		}
	}
	l.copies = map[string]*copyOf{}
	l.mu.Unlock()
	l.close()
	l.work.Wait()
}

// Ask returns what the API of the Blender at program says to a query. The first question about a build
// waits until the API is written down, which takes some seconds and goes on when ctx ends. Ask fails with
// [api.ErrBad] when the query makes no sense, and when the API can't be written down or read.
func (l *Library) Ask(ctx context.Context, program string, q api.ReferenceQuery) (api.Reference, error) {
	if err := check(q); err != nil {
		return api.Reference{}, err
	}
	b, err := l.bookOf(ctx, program)
	if err != nil {
		return api.Reference{}, err
	}
	return b.answer(q), nil
}

// check fails with [api.ErrBad] when a query makes no sense.
func check(q api.ReferenceQuery) error {
	switch {
	case (q.Path == "") == (q.Words == ""):
		return fmt.Errorf("%w: a question about the API has a path or words, and not both", api.ErrBad)
	case len(q.Path)+len(q.Words) > api.MaxReferenceQuery:
		return fmt.Errorf("%w: the question has %d bytes and may have %d", api.ErrBad, len(q.Path)+len(q.Words), api.MaxReferenceQuery)
	case q.Max < 0 || q.Max > api.MaxReference:
		return fmt.Errorf("%w: n: %d is not 1 to %d", api.ErrBad, q.Max, api.MaxReference)
	}
	return nil
}

// bookOf returns the API of the Blender at program, from memory, from the folder, or written anew.
func (l *Library) bookOf(ctx context.Context, program string) (*book, error) {
	id, err := identity(program)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, api.ErrStopping
	}
	c := l.copies[id]
	if c == nil {
		c = &copyOf{ready: make(chan struct{})}
		l.copies[id] = c
		l.work.Go(func() { l.fetch(id, program, c) })
	}
	c.used = time.Now()
	l.mu.Unlock()
	select {
	case <-c.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.err == nil {
		l.keep(id, c)
	}
	return c.book, c.err
}

// fetch reads the API of a build, which is written first where it is not there, and tells those who wait.
func (l *Library) fetch(id, program string, c *copyOf) {
	file := filepath.Join(l.cfg.Dir, id+".gz")
	c.book, c.err = readBook(file)
	if c.err != nil {
		if !errors.Is(c.err, fs.ErrNotExist) {
			l.cfg.Logger.Warn("the API of a Blender is written down anew", "program", program, "error", c.err)
		}
		if c.err = l.write(program, file); c.err == nil {
			c.book, c.err = readBook(file)
		}
	}
	if c.err == nil { // so that no question waits for these
		c.book.lowered()
		c.book.heirs()
	} else {
		c.err = fmt.Errorf("the API of %s can't be had: %w", program, c.err)
		l.mu.Lock()
		if l.copies[id] == c {
			delete(l.copies, id) // the next question tries again
		}
		l.mu.Unlock()
	}
	close(c.ready)
	l.keep(id, c) // also where nobody waits for it any more
}

// write has Blender write its API under a temporary name and then renames the file.
func (l *Library) write(program, file string) error {
	if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the API: %w", err)
	}
	dir, err := os.MkdirTemp(l.cfg.Dir, "part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // what can't be removed now is removed by prune
	half := filepath.Join(dir, "api.gz")
	if err := l.cfg.Write(l.ctx, program, half); err != nil {
		return err
	}
	if err := os.Rename(half, file); err != nil {
		return err
	}
	l.prune()
	return nil
}

// prune removes the texts that were written long ago where there are many, and what was left half-written.
func (l *Library) prune() {
	entries, err := os.ReadDir(l.cfg.Dir)
	if err != nil {
		return // the next call tries again
	}
	var files []fs.FileInfo
	for _, entry := range entries {
		info, err := entry.Info()
		switch {
		case err != nil:
		case strings.HasPrefix(entry.Name(), "part-") && time.Since(info.ModTime()) > time.Hour:
			_ = os.RemoveAll(filepath.Join(l.cfg.Dir, entry.Name())) // as above
		case strings.HasSuffix(entry.Name(), ".gz"):
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, old := range files[min(keptBuilds, len(files)):] {
		_ = os.Remove(filepath.Join(l.cfg.Dir, old.Name())) // as above
	}
}

// keep keeps a book in memory until it was not used for a while, and drops the book that was not used for
// longest where there are too many.
func (l *Library) keep(id string, c *copyOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.copies[id] != c {
		return
	}
	if c.rest == nil {
		c.rest = time.AfterFunc(l.cfg.Rest, func() { l.drop(id, c) })
	} else {
		c.rest.Reset(l.cfg.Rest)
	}
	for {
		count, oldest := 0, ""
		for other, o := range l.copies {
			if o.rest == nil {
				continue // it is on its way
			}
			count++
			if oldest == "" || o.used.Before(l.copies[oldest].used) {
				oldest = other
			}
		}
		if count <= inMemory {
			return
		}
		l.copies[oldest].rest.Stop()
		delete(l.copies, oldest)
	}
}

func (l *Library) drop(id string, c *copyOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.copies[id] == c {
		delete(l.copies, id)
	}
}

// identity returns a name for the build of Blender at program, which changes with the file. It fails when
// there is no such file.
func identity(program string) (string, error) {
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%d", format, path, info.Size(), info.ModTime().UnixNano()))
	return fmt.Sprintf("%x", sum[:12]), nil
}
