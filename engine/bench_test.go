package engine

import (
	"context"
	"fmt"
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
