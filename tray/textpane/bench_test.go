//go:build !headless

package textpane

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"blendtray/tray/textpane/find"
)

// output returns about so many bytes of a program's output, with colours, in so many lines.
func output(size, lines int) []byte {
	var out bytes.Buffer
	line := size / lines
	for n := 0; out.Len() < size; n++ {
		before := out.Len()
		fmt.Fprintf(&out, "\x1b[32m%8d\x1b[0m ", n)
		for out.Len()-before < line-1 {
			out.WriteString("word "[:min(5, line-1-(out.Len()-before))])
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// BenchmarkFollow follows 100 MB in 100,000 lines that come as fast as they are taken, at 1000×700,
// drawn by Fyne's software painter in place of the display's. It prints the stall, the time until a
// function runs that was given to the toolkit's goroutine, and how much memory and time that took.
func BenchmarkFollow(b *testing.B) {
	const size, lines = 100 << 20, 100_000
	text := output(size, lines)
	for b.Loop() {
		test.NewTempApp(b)
		var stalls []time.Duration
		calls := make(chan func(), 10_000)
		var drawn atomic.Int64
		pane := New(Options{Do: func(f func()) { calls <- f }})
		window := test.NewTempWindow(b, pane)
		window.Resize(fyne.NewSize(1000, 700))
		ended, appended := make(chan struct{}), make(chan struct{})
		var loop sync.WaitGroup
		loop.Go(func() { // the toolkit's goroutine
			for {
				select {
				case call := <-calls:
					call()
					pane.draw(1000, 700) // what the toolkit does after a refresh
					drawn.Add(1)
				case <-ended:
					return
				}
			}
		})
		loop.Go(func() {
			for {
				asked := time.Now()
				ran := make(chan struct{})
				select {
				case calls <- func() { close(ran) }:
				case <-ended:
					return
				}
				select {
				case <-ran:
					stalls = append(stalls, time.Since(asked))
				case <-ended:
					return
				}
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ended:
					return
				}
			}
		})
		began := time.Now()
		go func() {
			defer close(appended)
			for rest := text; len(rest) > 0; rest = rest[min(len(rest), 64<<10):] {
				pane.Append(rest[:min(len(rest), 64<<10)])
			}
		}()
		<-appended
		took := time.Since(began)
		close(ended)
		loop.Wait()
		if kept, dropped := pane.Kept(); kept+dropped < size {
			b.Errorf("%d bytes were kept and %d dropped of %d", kept, dropped, size)
		}
		slices.Sort(stalls)
		at := func(part float64) float64 {
			return float64(stalls[int(part*float64(len(stalls)-1))].Microseconds()) / 1000
		}
		b.ReportMetric(at(0.5), "stall-p50-ms")
		b.ReportMetric(at(0.99), "stall-p99-ms")
		b.ReportMetric(at(1), "stall-max-ms")
		b.ReportMetric(float64(size)/(1<<20)/took.Seconds(), "MB/s")
		b.ReportMetric(float64(drawn.Load()), "redraws")
		b.ReportMetric(residentMB(), "RSS-MB")
		pane.Close()
	}
}

// residentMB returns the memory of the process, or 0 where the system has no /proc.
func residentMB() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	var all, resident float64
	if err == nil {
		_, err = fmt.Sscan(string(data), &all, &resident)
	}
	if err != nil {
		return 0
	}
	return resident * float64(os.Getpagesize()) / (1 << 20)
}

// BenchmarkFind finds a word that is nowhere in 100 MB.
func BenchmarkFind(b *testing.B) {
	pane := New(Options{Do: func(f func()) {}})
	defer pane.Close()
	pane.Append(output(100<<20, 1_000_000))
	first, end := pane.Lines()
	for name, exact := range map[string]bool{"exact": true, "folded": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found, err := find.Search(b.Context(), pane.buffer, find.Query{Text: "nowhere", Exact: exact}, first, end, 1); err != nil || len(found) > 0 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
