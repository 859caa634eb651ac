//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// death is a way in which the engine or a Blender is ended or disturbed.
type death struct {
	name   string
	weight int
	do     func(p *place, rng *rand.Rand, later *sync.WaitGroup) error
	// measured is true when it is measured how soon the next script runs.
	measured bool
}

var deaths = []death{
	{"engine killed", 35, killEngine, true},
	{"Blender killed", 30, killBlender, true},
	{"engine stopped", 10, stopEngine, true},
	{"database locked", 13, lockDatabase, false},
	{"disk full", 12, fillDisk, false},
}

func pickDeath(rng *rand.Rand) death {
	at := rng.IntN(100)
	for _, d := range deaths {
		if at -= d.weight; at < 0 {
			return d
		}
	}
	panic("the weights do not add up to 100")
}

func killEngine(p *place, rng *rand.Rand, _ *sync.WaitGroup) error {
	if err := p.engine.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	p.engine = nil
	time.Sleep(time.Duration(rng.Int64N(int64(300 * time.Millisecond)))) // saves come meanwhile
	return p.start()
}

func stopEngine(p *place, _ *rand.Rand, _ *sync.WaitGroup) error {
	if err := p.stop(); err != nil {
		return err
	}
	return p.start()
}

func killBlender(p *place, rng *rand.Rand, _ *sync.WaitGroup) error {
	pids := p.blenders()
	if len(pids) == 0 {
		return nil // each is being started anew
	}
	err := syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// lockDatabase holds the lock of the database for up to five seconds, while all goes on.
func lockDatabase(p *place, rng *rand.Rand, later *sync.WaitGroup) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "runs.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		return errors.Join(ignoreBusy(err), db.Close())
	}
	hold := time.Duration(rng.Int64N(int64(5 * time.Second)))
	later.Go(func() {
		time.Sleep(hold)
		_, _ = db.Exec("ROLLBACK")
		_ = db.Close()
	})
	return nil
}

// ignoreBusy returns nil: on a disk that is full, or in a database that is being opened, there is
// no lock to be had, and that is no fault of the engine.
func ignoreBusy(error) error { return nil }

// fillDisk leaves no room on the disk of the home for up to four seconds, while all goes on.
func fillDisk(p *place, rng *rand.Rand, later *sync.WaitGroup) error {
	if !p.mounted {
		return lockDatabase(p, rng, later)
	}
	file := filepath.Join(p.home, fmt.Sprintf("filler-%d", rng.Int64()))
	f, err := os.Create(file)
	if err != nil {
		return nil // it is full already
	}
	_, err = io.Copy(f, zeros{})
	if err = errors.Join(err, f.Close()); !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	hold := time.Duration(rng.Int64N(int64(4 * time.Second)))
	later.Go(func() {
		time.Sleep(hold)
		_ = os.Remove(file)
	})
	return nil
}

// zeros is a file without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// dies does one death, and returns how long it took until a script that was saved then has begun.
func (p *place) dies(ctx context.Context, d death, rng *rand.Rand, later *sync.WaitGroup) (time.Duration, error) {
	p.deaths[d.name]++
	if err := d.do(p, rng, later); err != nil {
		return 0, fmt.Errorf("%s: %w", d.name, err)
	}
	if !d.measured {
		return 0, p.keepAlive()
	}
	began := time.Now()
	token := p.probe()
	for {
		waiting, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		err := p.waitRun(waiting, token)
		cancel()
		if err == nil {
			return time.Since(began), nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if time.Since(began) > 3*time.Minute {
			return 0, nil // it shows as lost or stuck
		}
		if err := p.keepAlive(); err != nil {
			return 0, err
		}
	}
}

// keepAlive starts an engine that has ended by itself, as a service manager does: it ends where its
// database is locked or its disk is full at its start.
func (p *place) keepAlive() error {
	select {
	case <-p.ended:
		p.deaths["refused to start"]++
		time.Sleep(500 * time.Millisecond)
		return p.start()
	default:
		return nil
	}
}
