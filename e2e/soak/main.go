//go:build linux

// Command soak saves scripts in watched folders for a long time, with the programs and system calls
// that people's programs use, and meanwhile ends the engine and its Blenders, and locks and fills
// its database, at random moments. At the end it compares what was saved with what has run, and
// prints a table; it fails when a save was lost, ran twice or ran half-written, when a process was
// left, or when a run stands still.
//
// An interrupt ends the saving early, and what was saved until then is compared.
//
// What it does follows from its seed, which it prints; the moments do not, since they are those of
// real programs. It is no benchmark: see bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	var c config
	flag.IntVar(&c.saves, "saves", 2000, "how many saves to make")
	flag.IntVar(&c.kills, "kills", 20, "how many times to end or disturb the engine or a Blender meanwhile")
	flag.Uint64Var(&c.seed, "seed", rand.Uint64(), "what the saves and the kills follow from")
	flag.DurationVar(&c.gap, "gap", 3*time.Second, "the longest pause of a writer in the middle of a file")
	flag.DurationVar(&c.limit, "limit", 3*time.Hour, "when to give up")
	flag.StringVar(&c.binary, "program", "", "the program to try; built when it is missing")
	flag.Parse()
	enough, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(enough, stop) // a second interrupt ends the program at once
	r, err := run(context.Background(), enough, c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	r.print(os.Stdout)
	if r.bad() > 0 {
		os.Exit(1)
	}
}

// config says what a soak does.
type config struct {
	saves, kills int
	seed         uint64
	gap, limit   time.Duration
	binary       string // "" builds it
}

// run makes the saves of a configuration, fewer when enough ends before, and returns what became of
// them. It fails when it could not do so; what is wrong with the program is in the result.
func run(ctx, enough context.Context, c config) (*result, error) {
	fmt.Printf("soak: %d saves, %d kills, seed %d\n", c.saves, c.kills, c.seed)
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "blendtray-soak-")
	if err != nil {
		return nil, err
	}
	if c.binary == "" {
		c.binary = filepath.Join(dir, "blendtray")
		build := exec.Command("go", "build", "-tags", "headless", "-o", c.binary, "blendtray")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build blendtray: %w\n%s", err, out)
		}
	}
	p, err := newPlace(dir, c.binary, c.saves, c.gap)
	if err != nil {
		return nil, err
	}
	defer p.close()
	cold, err := p.coldStarts(ctx, 3)
	if err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	if err := p.waitRun(ctx, p.probe()); err != nil {
		return nil, fmt.Errorf("the first script does not run: %w", err)
	}
	recoveries, err := p.soak(ctx, enough, c)
	if err != nil {
		return nil, err
	}
	stuck := p.settle(ctx)
	if err := p.stop(); err != nil {
		return nil, err
	}
	r, err := p.compare()
	if err != nil {
		return nil, err
	}
	r.seed, r.deaths, r.cold, r.recoveries = c.seed, p.deaths, cold, recoveries
	r.stuck = append(r.stuck, stuck...)
	r.orphans = p.orphans()
	if r.bad() == 0 {
		p.close()
		return r, os.RemoveAll(dir)
	}
	r.kept = dir
	return r, p.keep()
}
