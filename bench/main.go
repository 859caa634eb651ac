//go:build linux

// Command bench measures what Blendtray promises, on the program itself: it builds the program,
// starts `blendtray serve` with a real Blender, and saves real files.
//
// It prints each figure beside its bound, and ratios of figures measured in the same run. A figure
// over its bound is only marked, because a busy machine can cause it. The bench fails (exit 1)
// for what no machine excuses: a torn, lost or foreign save.
//
// Usage: go run ./bench [-saves 1000] [-cold 10] [-pace 60] [-many 10000] [-idle 30s]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	saves := flag.Int("saves", 1000, "saves of each kind")
	cold := flag.Int("cold", 10, "cold starts to compare with")
	messages := flag.Int("messages", 5000, "messages on an open session, and runs submitted by each number of clients")
	pace := flag.Int("pace", 60, "saves, one a second")
	many := flag.Int("many", 10000, "scripts written at once")
	idle := flag.Duration("idle", 30*time.Second, "how long to watch the idle program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *saves, *cold, *messages, *pace, *many, *idle); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, saves, cold, messages, pace, many int, idle time.Duration) error {
	dir, err := os.MkdirTemp("", "blendtray-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(ctx, dir)
	if err != nil {
		return err
	}
	defer p.stop()

	fmt.Printf("Blender %s, %s\n\n", p.blender.Version, p.blender.Path)
	fmt.Println("From the writer's close to the first line of the script in Blender:")
	for _, w := range writers {
		for _, kind := range []string{"keep", "scene"} {
			if _, err = p.measureSaves(ctx, kind, w, saves); err != nil {
				return err
			}
		}
	}
	fmt.Println("\nThe same with a pause before each save, in which a Blender is started; keep and process in turn:")
	for _, w := range writers {
		if err := p.measureInTurn(ctx, w, max(1, saves/10)); err != nil {
			return err
		}
	}
	fmt.Println("\nSaves whose runs begin in a large .blend:")
	if err := p.measureScene(ctx, max(1, saves/20)); err != nil {
		return err
	}
	fmt.Println("\nSaves after a run of which a picture is made:")
	if err := p.measurePreview(ctx, max(1, saves/20)); err != nil {
		return err
	}
	fmt.Println("\nSaves of isolated scripts, one a second:")
	if err := p.measurePace(ctx, pace); err != nil {
		return err
	}
	fmt.Println("\nAs fast as they go:")
	if err := p.measureBurst(ctx); err != nil {
		return err
	}
	fmt.Println("\nRuns at the same time:")
	if err := p.measureParallel(ctx); err != nil {
		return err
	}
	fmt.Println("\nAfter a crash, with a Blender that waits:")
	if err := p.measureCrash(ctx, cold); err != nil {
		return err
	}
	fmt.Println("\nA message on an open session, there and back:")
	if err := p.measureMessages(ctx, messages); err != nil {
		return err
	}
	fmt.Println("\nAn isolated run against a cold Blender, the same script:")
	if err := p.measureCold(ctx, cold); err != nil {
		return err
	}
	fmt.Println("\nMany scripts at once, isolation scene:")
	if err := p.measureMany(ctx, many); err != nil {
		return err
	}
	fmt.Println("\nRuns submitted over the control interface, by several clients at a time:")
	if err := p.measureSubmitters(ctx, messages); err != nil {
		return err
	}
	fmt.Println("\nA script that prints 100 MB:")
	if err := p.measureOutput(ctx); err != nil {
		return err
	}
	fmt.Printf("\nIdle for %s:\n", idle)
	return p.measureIdle(ctx, idle)
}

// row prints one figure, beside its bound where there is one.
func row(name, figure string, over bool, bound string) {
	mark := ""
	if over {
		mark = "  OVER"
	}
	fmt.Printf("  %-34s %14s   %s%s\n", name, figure, bound, mark)
}

// timed prints the median and the 99th percentile of a sample beside their bounds.
func timed(name string, s sample, p50, p99 time.Duration) {
	row(name+", p50", ms(s.quantile(0.5)), s.quantile(0.5) > p50, "at most "+ms(p50))
	if p99 > 0 {
		row(name+", p99", ms(s.quantile(0.99)), s.quantile(0.99) > p99, "at most "+ms(p99))
	}
}
