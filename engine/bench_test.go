package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// report prints the median and the 99th percentile.
func report(b *testing.B, all []time.Duration) {
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

func benchToBlender(b *testing.B, give func(h *house, i int)) {
	h := open(b)
	reached := make(chan time.Time, 1)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		reached <- time.Now()
		return succeed(ctx, req, sink)
	}
	h.serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		begin := time.Now()
		give(h, i)
		all = append(all, (<-reached).Sub(begin))
		await(b, sub, "end", func(ev api.Event) bool { return ev.Kind == api.KindRun && ev.Run.State.Final() })
	}
	report(b, all)
}

// From a settled save to the call of blender.Run: what the engine itself costs.
func BenchmarkSaveToBlender(b *testing.B) {
	benchToBlender(b, func(h *house, i int) {
		h.w.save(h.path("s.py"), fmt.Sprintf("x = %d\n", i))
	})
}

// From a submission to the call of blender.Run.
func BenchmarkSubmitToBlender(b *testing.B) {
	benchToBlender(b, func(h *house, i int) { h.submit(fmt.Sprintf("x = %d\n", i)) })
}

// Listing 10,000 runs, by page and by name.
func BenchmarkList(b *testing.B) {
	h := open(b)
	h.b.do = succeed
	for i := range 10_000 {
		if _, err := h.Submit(context.Background(), api.Submission{Code: []byte("x"), Name: fmt.Sprintf("script-%05d.py", i)}); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]api.Filter{
		"newest": {Limit: 20}, "name": {Limit: 20, Name: "-00001"}, "state": {Limit: 20, States: []api.State{api.Failed}}, "all": {Limit: 10_000},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Runs(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Listing the first of 10,000 waiting runs: saves in a folder, and what 100 programs have submitted. The
// call holds the engine's lock all the time.
func BenchmarkQueue(b *testing.B) {
	h := open(b).serve()
	h.submit("x")
	h.call()
	for i := range 5_000 {
		h.w.save(h.path(fmt.Sprintf("%04d.py", i)), "x")
		if _, err := h.Submit(context.Background(), api.Submission{Code: []byte("x"), Name: "x.py", Peer: fmt.Sprint(i % 100)}); err != nil {
			b.Fatal(err)
		}
	}
	for _, n := range []int{20, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if all, total := h.Queue(n); len(all) != n || total != 10_000 {
					b.Fatalf("%d of %d", len(all), total)
				}
			}
		})
	}
}

// benchRuns gives each call of write the run after the run before, in a database that has runs already.
// All runs have one code, or each its own.
func benchRuns(b *testing.B, write func(b *testing.B, s *store, in insert, before *job)) {
	for name, code := range map[string]func(i int) string{
		"same": func(int) string { return "x = 1" },
		"own":  func(i int) string { return fmt.Sprintf("x = %d", i) },
	} {
		b.Run(name, func(b *testing.B) {
			s, _, err := openStore(filepath.Join(b.TempDir(), "runs.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.close()
			zero := 0
			var before *job
			one := func(i int) {
				text, now := code(i), time.Now()
				sum := sha256.Sum256([]byte(text))
				j := &job{limit: time.Minute, run: api.Run{
					Script: "code", SHA256: hex.EncodeToString(sum[:]), Args: []string{}, Source: api.FromCommand,
					State: api.Queued, QueuedAt: now, Session: "bench",
				}}
				write(b, s, insert{job: j, code: []byte(text)}, before)
				j.run.State, j.run.StartedAt, j.run.FinishedAt = api.Succeeded, &now, &now
				j.run.Seconds, j.run.BlenderVersion, j.run.ExitCode = 0.001, "4.3.2", &zero
				before = j
			}
			i := 0
			for ; i < 2000; i++ {
				one(i)
			}
			b.ReportAllocs()
			for ; b.Loop(); i++ {
				if i%2000 == 0 { // as the engine does when the log is large
					b.StopTimer()
					if err := s.checkpoint(); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				one(i)
			}
		})
	}
}

// What writing down a run costs where runs wait: one transaction as queued, and one for its beginning and
// the end of the run before.
func BenchmarkStoreQueuedRun(b *testing.B) {
	benchRuns(b, func(b *testing.B, s *store, in insert, before *job) {
		if err := s.insert(in); err != nil {
			b.Fatal(err)
		}
		if err := s.setRunning(in.job.id, time.Now(), func() error { return finishBefore(s, before) }); err != nil {
			b.Fatal(err)
		}
	})
}

// What writing down a run costs that begins at once, with the end of the run before.
func BenchmarkStoreRun(b *testing.B) {
	benchRuns(b, func(b *testing.B, s *store, in insert, before *job) {
		if err := s.insertRunning(in, time.Now(), func() {}, func() error { return finishBefore(s, before) }); err != nil {
			b.Fatal(err)
		}
	})
}

func finishBefore(s *store, before *job) error {
	if before == nil {
		return nil
	}
	return s.finishLocked(before.id, &before.run)
}

// What the journal of a short run costs: begun, written by Blender, which is not measured, read, and kept
// for a later run.
func BenchmarkJournal(b *testing.B) {
	h := open(b)
	b.ReportAllocs()
	for id := int64(1); b.Loop(); id++ {
		j := h.beginJournal(id, false, "")
		b.StopTimer()
		f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.WriteString("begun\nended {\"state\": \"succeeded\", \"exit_code\": 0, \"seconds\": 0.1, \"error\": null, \"outputs\": [], \"result\": null}\n"); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		j.look()
		if !j.isPlain() {
			b.Fatalf("%+v", j)
		}
		h.dropJournal(&job{id: id, journal: j})
	}
}
