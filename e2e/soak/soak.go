//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// hands is how many writers work at the same time.
	hands = 8
	// mostWaiting is how many scripts may wait before no more are saved: what is measured is not how
	// long a queue is.
	mostWaiting = 40
)

// files are the scripts that may be saved again.
type files struct {
	mu   sync.Mutex
	busy map[string]bool
	all  []string          // in the order in which they came to be
	last map[string]string // the token that a file has
	code map[string][]byte
	dirs []string // folders that were made for one script
}

// soak makes the saves of a configuration, or those until enough ends, and does its kills meanwhile.
// It returns how long it took
// after each death until the next script began.
func (p *place) soak(ctx, enough context.Context, c config) (recoveries []time.Duration, err error) {
	rng := rand.New(rand.NewPCG(c.seed, 1))
	fs := &files{busy: map[string]bool{}, last: map[string]string{}, code: map[string][]byte{}}
	work := make(chan func() error)
	var working, later sync.WaitGroup
	failed := make(chan error, hands)
	for range hands {
		working.Go(func() {
			for do := range work {
				if err := do(); err != nil {
					select {
					case failed <- err:
					default: // the first errors say enough
					}
				}
			}
		})
	}
	nextKill := p.nextKill(c, rng, 0)
	for i := 0; i < c.saves && err == nil && enough.Err() == nil; i++ {
		for i%10 == 0 && p.waiting() > mostWaiting && ctx.Err() == nil && err == nil {
			time.Sleep(5 * time.Millisecond) // until the engine has come so far
			err = p.keepAlive()
		}
		if i >= nextKill && err == nil {
			var took time.Duration
			took, err = p.dies(ctx, pickDeath(rng), rng, &later)
			if took > 0 {
				recoveries = append(recoveries, took)
			}
			nextKill = p.nextKill(c, rng, i)
		}
		select {
		case work <- p.errand(c, fs, rng):
		case e := <-failed:
			err = e
		case <-enough.Done():
		case <-ctx.Done():
			err = fmt.Errorf("after %d saves: %w", i, ctx.Err())
		}
		if i%1000 == 999 {
			fmt.Printf("soak: %d saves, deaths %v\n", i+1, p.deaths)
		}
	}
	close(work)
	working.Wait()
	later.Wait()
	select {
	case e := <-failed:
		err = errors.Join(err, e)
	default:
	}
	return recoveries, errors.Join(err, p.keepAlive())
}

// nextKill returns at which save the next death comes.
func (p *place) nextKill(c config, rng *rand.Rand, now int) int {
	if c.kills == 0 {
		return c.saves
	}
	return now + 1 + rng.IntN(max(1, 2*c.saves/c.kills-1))
}

// errand chooses a save and returns what makes it.
func (p *place) errand(c config, fs *files, rng *rand.Rand) func() error {
	j := &errand{place: p, rng: rand.New(rand.NewPCG(rng.Uint64(), 2)), gap: c.gap}
	n, isNew := p.tokens.Add(1), rng.IntN(2) == 0
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !isNew {
		j.path = fs.freeLocked(rng)
	}
	if isNew = j.path == ""; isNew {
		j.path = filepath.Join(p.scene, fmt.Sprintf("f%d.py", n))
		if rng.IntN(50) == 0 {
			j.path = filepath.Join(p.process, fmt.Sprintf("f%d.py", n))
		}
	}
	ofOther := p.others != "" && (isNew || filepath.Dir(j.path) == p.others)
	w := pick(rng, isNew, ofOther)
	switch {
	case w.other && isNew:
		j.path = filepath.Join(p.others, fmt.Sprintf("f%d.py", n))
	case w.name == "git pull":
		j.path = filepath.Join(p.scene, "clone", fmt.Sprintf("f%d.py", n))
	case w.name == "new folder", w.name == "folder moved in":
		dir := filepath.Join(filepath.Dir(j.path), fmt.Sprintf("d%d", n))
		j.path = filepath.Join(dir, "f.py")
		fs.dirs = append(fs.dirs, dir)
	}
	takes := time.Duration(0)
	if rng.IntN(20) == 0 {
		takes = time.Duration(rng.Int64N(int64(time.Second)))
	}
	j.token, j.code = p.script(rng.IntN(200), takes)
	if w.onlyOld {
		j.old = fs.last[j.path]
	}
	if w.name == "sed -i" {
		j.code = retold(fs.code[j.path], j.old, j.token)
	}
	fs.busy[j.path] = true
	gone := fs.goneLocked(p, rng)
	return func() error {
		if gone != "" {
			if err := os.RemoveAll(gone); err != nil {
				return err
			}
		}
		p.note(j.token, j.path, w.name, j.code)
		err := w.save(j)
		fs.mu.Lock()
		defer fs.mu.Unlock()
		delete(fs.busy, j.path)
		fs.last[j.path], fs.code[j.path] = j.token, j.code
		if !slices.Contains(fs.all, j.path) {
			if fs.all = append(fs.all, j.path); len(fs.all) > 500 {
				fs.all = slices.Delete(fs.all, 0, 1)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		return nil
	}
}

// freeLocked returns a file that is there and on which nobody works, or "". It needs mu.
func (fs *files) freeLocked(rng *rand.Rand) string {
	for range 20 {
		if len(fs.all) == 0 {
			return ""
		}
		if path := fs.all[rng.IntN(len(fs.all))]; !fs.busy[path] {
			return path
		}
	}
	return ""
}

// goneLocked returns now and then a folder to remove whose script has run, or "". It needs mu.
func (fs *files) goneLocked(p *place, rng *rand.Rand) string {
	if rng.IntN(10) > 0 || len(fs.dirs) == 0 {
		return ""
	}
	at := rng.IntN(len(fs.dirs))
	dir := fs.dirs[at]
	path := filepath.Join(dir, "f.py")
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.latest[path]
	if fs.busy[path] || s == nil || !p.done[s.token] {
		return ""
	}
	delete(p.latest, path)
	fs.dirs = slices.Delete(fs.dirs, at, at+1)
	fs.all = slices.DeleteFunc(fs.all, func(other string) bool { return other == path })
	return dir
}
