package engine

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"blendtray/api"
	"blendtray/blender"
)

func TestASubscriberThatNeverReadsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	h := open(t)
	line := []byte(strings.Repeat("x", 64<<10-1) + "\n")
	const lines = 1600 // 100 MiB
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		out, err := succeed(ctx, req, sink)
		if req.ID == "1" {
			for range lines {
				sink.Output(line)
			}
		}
		return out, err
	}
	stuck := h.Subscribe(SubscribeOptions{Output: true})
	defer stuck.Close()
	reader := h.Subscribe(SubscribeOptions{Output: true})
	defer reader.Close()
	h.submit("much")
	h.serve()
	total := int64(0)
	await(t, reader, "end", func(ev api.Event) bool {
		if total += ev.Dropped; ev.Kind == api.KindOutput && ev.From != total {
			t.Errorf("text that begins at byte %d is said to begin at %d", total, ev.From)
		}
		total += int64(len(ev.Text))
		return ev.Kind == api.KindRun && ev.Run.State.Final()
	})
	if total != int64(lines*len(line)) {
		t.Errorf("read and left out together: %d bytes", total)
	}
	r := h.run("1")
	if r.OutputBytes != int64(lines*len(line)) || len(r.Output) > DefaultOutputLimit+100 || !strings.Contains(r.Output, "bytes of output were cut here") {
		t.Errorf("%d bytes, kept %d", r.OutputBytes, len(r.Output))
	}
	for range 2*maxWaitingEvents/3 + 100 { // three events each
		last := h.submit("x")
		h.ended(last.ID)
	}
	stuck.mu.Lock()
	waiting, output := len(stuck.waiting), stuck.output
	stuck.mu.Unlock()
	if waiting > maxWaitingEvents+1 || output > maxWaitingOutput {
		t.Errorf("%d events and %d bytes wait", waiting, output)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if mem.HeapInuse > 100<<20 {
		t.Errorf("%d MiB of heap", mem.HeapInuse>>20)
	}
	// It finds out what it missed when it reads at last.
	h.stop()
	var kinds []api.Kind
	total = 0
	for ev := range stuck.Events() {
		kinds = append(kinds, ev.Kind)
		total += int64(len(ev.Text)) + ev.Dropped
	}
	if total != int64(lines*len(line)) {
		t.Errorf("read and left out together: %d bytes", total)
	}
	if kinds[len(kinds)-1] != api.KindGap {
		t.Errorf("the last event is %s", kinds[len(kinds)-1])
	}
}

func TestOnlyWhatWasAskedForIsHeard(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sink.Output([]byte("out " + req.ID))
		return succeed(ctx, req, sink)
	}
	h.submit("1")
	h.submit("2")
	quiet := h.Subscribe(SubscribeOptions{})
	defer quiet.Close()
	one := h.Subscribe(SubscribeOptions{Run: "2", Output: true})
	defer one.Close()
	h.serve()
	await(t, quiet, "end of 2", func(ev api.Event) bool {
		if ev.Kind == api.KindOutput {
			t.Error("output came unasked")
		}
		return ev.Kind == api.KindRun && ev.ID == "2" && ev.Run.State.Final()
	})
	var got []string
	await(t, one, "end of 2", func(ev api.Event) bool {
		got = append(got, fmt.Sprint(ev.Kind, ev.ID, ev.Text))
		return ev.Kind == api.KindRun && ev.Run.State.Final()
	})
	if want := "[run2 output2out 2 run2]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWhatIsAnnouncedIsHeardByAllButFollowersOfARun(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.submit("1")
	all, follower := h.Subscribe(SubscribeOptions{}), h.Subscribe(SubscribeOptions{Run: "1"})
	defer all.Close()
	defer follower.Close()
	h.Announce(api.Event{Kind: api.KindSettings, Message: "a setting changed"})
	if ev := <-all.Events(); ev.Kind != api.KindSettings || ev.Message != "a setting changed" || ev.Time.IsZero() {
		t.Errorf("heard %+v", ev)
	}
	if n := len(follower.Events()); n > 0 {
		t.Errorf("who follows a run heard %d events", n)
	}
}

func TestWhoFollowsARunIsToldWhatItWaitsForAndOfNoOtherRun(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("another")
	other := h.call() // it keeps Blender busy
	follow := func() (api.Run, *Subscription) {
		r, sub, err := h.Follow(context.Background(), api.Submission{Code: []byte("x"), Key: "the same"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		return r, sub
	}
	r, sub := follow()
	again, second := follow()
	if r.ID != again.ID || r.State != api.Queued {
		t.Fatalf("two runs for one key: %+v and %+v", r, again)
	}
	h.b.set(api.BlenderRunning, "") // which is nothing new for the run
	h.b.set(api.BlenderStarting, "")
	h.b.set(api.BlenderStarting, "still")
	h.b.set(api.BlenderReady, "")
	other.finish(blender.Succeeded)
	c := h.call()
	c.sink.Output([]byte("printed"))
	c.finish(blender.Succeeded)
	for _, sub := range []*Subscription{sub, second} {
		var got []string
		await(t, sub, "end", func(ev api.Event) bool {
			what := string(ev.Kind) + " " + ev.ID + " " + ev.Text
			if ev.Run != nil {
				what += string(ev.Run.State) + " " + ev.Run.Reason
			}
			got = append(got, what)
			return ev.Kind == api.KindRun && ev.Run.State.Final()
		})
		want := "run 2 queued Blender is starting|run 2 queued |run 2 running |output 2 printed|run 2 succeeded "
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("heard\n%s\nwant\n%s", s, want)
		}
		sub.Close()
	}
	if n := h.hub.listeners.Load(); n != 0 || len(h.hub.followed()) != 0 {
		t.Errorf("%d listeners and %d followed runs are left", n, len(h.hub.followed()))
	}
	_, bad, err := h.Follow(context.Background(), api.Submission{})
	if err == nil || bad != nil {
		t.Errorf("a refused submission is followed: %v", err)
	}
}

func TestOutputEventsAreWholeCharacters(t *testing.T) {
	t.Parallel()
	h := open(t)
	text := strings.Repeat("€😀", 1000)
	h.b.do = func(ctx context.Context, req blender.Request, sink blender.Sink) (blender.Outcome, error) {
		out, err := succeed(ctx, req, sink)
		for i := range len(text) {
			sink.Output([]byte{text[i]})
		}
		sink.Output([]byte{0xe2})
		return out, err
	}
	sub := h.Subscribe(SubscribeOptions{Output: true})
	defer sub.Close()
	h.submit("x")
	h.serve()
	var got strings.Builder
	await(t, sub, "end", func(ev api.Event) bool {
		if !utf8.ValidString(ev.Text) {
			t.Errorf("%q", ev.Text)
		}
		got.WriteString(ev.Text)
		return ev.Kind == api.KindRun && ev.Run.State.Final()
	})
	if got.String() != text+"\uFFFD" {
		t.Errorf("%d bytes, want %d", got.Len(), len(text)+3)
	}
}

func TestProgressComesAtMostTwentyTimesASecondAndTheLastIsNotLost(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	h.submit("render")
	c := h.call()
	begin := time.Now()
	const n = 20_000
	for i := 1; i <= n; i++ {
		c.sink.Progress(api.Progress{Fraction: float64(i) / n})
	}
	took := time.Since(begin)
	if r := h.run("1"); r.Progress == nil || r.Progress.Fraction != 1 {
		t.Errorf("the run's own progress: %+v", r.Progress)
	}
	count := 0
	await(t, sub, "the last progress", func(ev api.Event) bool {
		if ev.Kind == api.KindProgress {
			count++
			return ev.Progress.Fraction == 1
		}
		return false
	})
	if most := int(took/progressEvery) + 2; count > most {
		t.Errorf("%d events in %v", count, took)
	}
	c.finish(blender.Succeeded)
	if r := h.ended("1"); r.Progress != nil {
		t.Error("an ended run has progress")
	}
}

func TestWhatARunPrintedSoFarCanBeRead(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.submit("x")
	c := h.call()
	c.sink.Output([]byte("half"))
	if r := h.run("1"); r.Output != "half" || r.State != api.Running || r.OutputBytes != 4 {
		t.Errorf("%+v", r)
	}
	c.sink.Output([]byte(" done"))
	c.finish(blender.Succeeded)
	if r := h.ended("1"); r.Output != "half done" {
		t.Errorf("%+v", r)
	}
}

func TestASubscriptionEndsWhenClosedAndWithTheEngine(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	a, b := h.Subscribe(SubscribeOptions{Output: true}), h.Subscribe(SubscribeOptions{})
	defer b.Close()
	a.Close()
	a.Close()
	for range a.Events() {
	}
	if n := h.hub.listeners.Load(); n != 0 {
		t.Errorf("%d listeners", n)
	}
	h.stop()
	for range b.Events() {
	}
	late := h.Subscribe(SubscribeOptions{})
	defer late.Close()
	for range late.Events() {
	}
}

// It counts the allocations of the whole process and therefore is not parallel.
func TestManySmallPiecesForAStuckSubscriberCostLittle(t *testing.T) {
	h := open(t)
	sub := &Subscription{hub: h.hub, opts: SubscribeOptions{Output: true}, delivering: true}
	const n = 3 << 20
	allocated := testing.AllocsPerRun(1, func() {
		for range n / 2 {
			sub.offer(api.Event{Kind: api.KindOutput, ID: "1", Text: "x"})
		}
	})
	if allocated > 5000 {
		t.Errorf("%v allocations", allocated)
	}
	total := 0
	for ev, ok := sub.next(); ok; ev, ok = sub.next() {
		total += len(ev.Text)
	}
	if total != n || sub.output != 0 {
		t.Errorf("%d bytes came, %d are counted", total, sub.output)
	}
}
