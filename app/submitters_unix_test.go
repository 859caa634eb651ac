//go:build unix

package app

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/control"
	"blendtray/engine"
	"blendtray/watcher"
)

// prompt is a Blender that has executed each run at once, so that a benchmark measures what is
// around it.
type prompt struct{ engine.Blender }

func (prompt) Serve(ctx context.Context) error { <-ctx.Done(); return nil }
func (prompt) Start()                          {}
func (prompt) Stop(context.Context) error      { return nil }
func (prompt) Expect(int, []string)            {}
func (prompt) Alert(blender.Request)           {}
func (prompt) Processes() []api.ProcessStatus  { return nil }
func (prompt) Status() api.BlenderStatus {
	return api.BlenderStatus{Name: api.DefaultBlender, State: api.BlenderReady}
}
func (prompt) Await(context.Context, blender.Request) error { return nil }
func (prompt) Ready(context.Context) error                  { return nil }
func (prompt) Free(blender.Request) bool                    { return true }

func (prompt) Run(_ context.Context, _ blender.Request, sink blender.Sink) (blender.Outcome, error) {
	sink.Started(time.Now())
	return blender.Outcome{Verdict: blender.Succeeded, Version: "3.4.1", Started: time.Now()}, nil
}

// still is a watcher of no folders.
type still struct{ engine.Watcher }

func (still) Serve(ctx context.Context) error { <-ctx.Done(); return nil }
func (still) Status() []api.FolderStatus      { return nil }
func (still) Rescan()                         {}

// serveForBench serves an engine with a [prompt] Blender over a socket and returns a client of it.
func serveForBench(b testing.TB) *control.Client {
	b.Helper()
	dir := b.TempDir()
	address, err := control.Prepare(filepath.Join(dir, "run"))
	if err != nil {
		b.Fatal(err)
	}
	listener, err := control.Listen(address)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.Open(engine.Config{
		Database: filepath.Join(dir, "runs.db"), JournalDir: filepath.Join(dir, "journals"),
		Blenders:   []api.BlenderSpec{{Name: api.DefaultBlender}},
		NewBlender: func(api.BlenderSpec, func(api.BlenderStatus)) engine.Blender { return prompt{} },
		NewWatcher: func(watcher.Config) (engine.Watcher, error) { return still{}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	server := control.NewServer(control.Config{Engine: overEngine{e, nil, ownProgram{}}, Listener: listener})
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, serve := range []func(context.Context) error{e.Serve, server.Serve} {
		parts.Go(func() {
			if err := serve(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	b.Cleanup(func() { stop(); parts.Wait() })
	return control.NewClient(address)
}

// follow has the engine execute a short run, and returns when its end was told.
func follow(client *control.Client) error {
	var last api.Run
	for ev, err := range client.SubmitAndFollow(context.Background(), api.Submission{Code: []byte("x = 1"), Isolation: api.IsolateKeep}) {
		if err != nil {
			return err
		}
		if ev.Run != nil {
			last = *ev.Run
		}
	}
	if last.State != api.Succeeded {
		return fmt.Errorf("the run has %s", last.State)
	}
	return nil
}

func TestABlenderThatIsPromptServesTheBenchmark(t *testing.T) {
	client := serveForBench(t)
	for range 3 {
		if err := follow(client); err != nil {
			t.Error(err)
		}
	}
}

// Runs that end at once, submitted and followed by several clients at a time: what a run costs
// beside Blender. It also reports the processor time of a run, clients included, which a busy
// machine changes less than the time.
func BenchmarkSubmitters(b *testing.B) {
	for _, clients := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			client := serveForBench(b)
			if err := follow(client); err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			before := processorTime(b)
			b.ResetTimer()
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if err := follow(client); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/run")
		})
	}
}

// processorTime returns how long this process has been on a processor.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
