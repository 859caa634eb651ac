//go:build linux

// Command bench measures what Blendtray promises, on the program itself: it builds the program,
// starts `blendtray serve` with a real Blender, and saves real files.
//
// It prints each figure beside its bound, and ratios of figures measured in the same run. A figure
// over its bound is only marked, because a busy machine can cause it. The bench fails (exit 1)
// for what no machine excuses: a torn, lost or foreign save.
//
// Usage: go run ./bench [-only REGEXP] [-saves 1000] [-cold 10] [-pace 60] [-many 10000] [-idle 30s]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// sizes says how much of each kind is measured.
type sizes struct {
	saves, cold, messages, pace, many int
	idle                              time.Duration
}

func main() {
	var n sizes
	flag.IntVar(&n.saves, "saves", 1000, "saves of each kind")
	flag.IntVar(&n.cold, "cold", 10, "cold starts to compare with")
	flag.IntVar(&n.messages, "messages", 5000, "messages on an open session, and runs submitted by each number of clients")
	flag.IntVar(&n.pace, "pace", 60, "saves, one a second")
	flag.IntVar(&n.many, "many", 10000, "scripts written at once")
	flag.DurationVar(&n.idle, "idle", 30*time.Second, "how long to watch the idle program")
	only := flag.String("only", "", "a regular expression for the names of what is measured: "+names())
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := regexp.Compile(*only)
	if err == nil {
		err = run(ctx, n, chosen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one of the things that are measured.
type part struct {
	name, title string
	// alone has the part measured on a program that has done nothing before, for its memory.
	alone   bool
	measure func(ctx context.Context, p *program, n sizes) error
}

var parts = []part{
	{"saves", "From the writer's close to the first line of the script in Blender", false, func(ctx context.Context, p *program, n sizes) error {
		for _, w := range writers {
			for _, kind := range []string{"keep", "scene"} {
				if _, err := p.measureSaves(ctx, kind, w, n.saves); err != nil {
					return err
				}
			}
		}
		return nil
	}},
	{"turns", "The same with a pause before each save, in which a Blender is started; keep and process in turn", false, func(ctx context.Context, p *program, n sizes) error {
		for _, w := range writers {
			if err := p.measureInTurn(ctx, w, max(1, n.saves/10)); err != nil {
				return err
			}
		}
		return nil
	}},
	{"scene", "Saves whose runs begin in a large .blend", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureScene(ctx, max(1, n.saves/20))
	}},
	{"preview", "Saves after a run of which a picture is made", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measurePreview(ctx, max(1, n.saves/20))
	}},
	{"pictures", "A render with pictures for clients while it goes on, against one without", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measurePictures(ctx, max(1, n.saves/100))
	}},
	{"pace", "Saves of isolated scripts, one a second", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measurePace(ctx, n.pace)
	}},
	{"burst", "As fast as they go", false, func(ctx context.Context, p *program, _ sizes) error {
		return p.measureBurst(ctx)
	}},
	{"parallel", "Runs at the same time", false, func(ctx context.Context, p *program, _ sizes) error {
		return p.measureParallel(ctx)
	}},
	{"crash", "After a crash, with a Blender that waits", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureCrash(ctx, n.cold)
	}},
	{"message", "A message on an open session, there and back", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureMessages(ctx, n.messages)
	}},
	{"cold", "An isolated run against a cold Blender, the same script", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureCold(ctx, n.cold)
	}},
	{"submitters", "Runs submitted over the control interface, by several clients at a time", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureSubmitters(ctx, n.messages)
	}},
	{"mcp", "An agent over a pipe: runs against control, in turn; the documentation; the start", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureAgents(ctx, max(1, n.messages/5))
	}},
	{"peers", "x = 1 over the pipes of MCP servers of others", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measurePeers(ctx, max(1, n.messages/25))
	}},
	{"output", "A script that prints 100 MB", false, func(ctx context.Context, p *program, _ sizes) error {
		return p.measureOutput(ctx)
	}},
	{"idle", "Idle", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureIdle(ctx, n.idle)
	}},
	{"farm", "Jobs that several engines share", false, func(ctx context.Context, p *program, n sizes) error {
		return p.measureFarm(ctx, max(1, n.saves/20))
	}},
	{"many", "Many scripts at once, isolation scene", true, func(ctx context.Context, p *program, n sizes) error {
		return p.measureMany(ctx, n.many)
	}},
}

func names() string {
	var all []string
	for _, part := range parts {
		all = append(all, part.name)
	}
	return strings.Join(all, ", ")
}

// run measures the parts whose names match.
func run(ctx context.Context, n sizes, chosen *regexp.Regexp) error {
	dir, err := os.MkdirTemp("", "blendtray-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "blendtray")
	if err := build(ctx, binary); err != nil {
		return err
	}
	var p *program
	defer func() { p.stop() }()
	for _, part := range parts {
		if !chosen.MatchString(part.name) {
			continue
		}
		if p == nil || part.alone {
			first := p == nil
			p.stop()
			if p, err = start(ctx, binary, filepath.Join(dir, "for_"+part.name)); err != nil {
				return err
			}
			if first {
				fmt.Printf("Blender %s, %s\n", p.blender.Version, p.blender.Path)
			}
		}
		fmt.Printf("\n%s:\n", part.title)
		if err := part.measure(ctx, p, n); err != nil {
			return err
		}
	}
	return nil
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
