//go:build !headless

package tray

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
	"blendtray/tray/textpane"
	"blendtray/tray/textpane/buffer"
)

// says publishes that a run prints something, as an engine does.
func (b *backend) says(id, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.runs {
		if b.runs[i].ID == id {
			ev := api.Event{Kind: api.KindOutput, ID: id, From: int64(len(b.runs[i].Output)), Text: text}
			b.runs[i].Output += text
			for _, s := range b.subs {
				s.ch <- ev
			}
		}
	}
}

// ends publishes that a run has ended.
func (b *backend) ends(id string, state api.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.runs {
		if b.runs[i].ID == id {
			b.runs[i].State = state
			r := b.runs[i]
			r.Output = ""
			for _, s := range b.subs {
				s.ch <- api.Event{Kind: api.KindRun, ID: id, Run: &r}
			}
		}
	}
}

func TestLiveOutputIsShownAsATerminalShowsIt(t *testing.T) {
	o := openWindow(t)
	r := o.backend.add(api.Run{Script: "/srv/live.py", State: api.Running, Output: "before the window\n"})
	d := o.runs.detail
	o.until("the run is shown", func() bool { return strings.Contains(d.output.pane.Text(), "before the window") })
	for _, piece := range []string{
		"1 ", "2 ", "3", "\n", "F", "ra", ":1 ", "Mem:20M | Sample 1/2", "\nFra", "gile\n",
		"\r10 %", "\r20 %", "\r100 %\n", "\x1b[31mred\x1b[0m\n", "open",
	} {
		o.backend.says(r.ID, piece)
	}
	want := "before the window\n1 2 3\nFragile\n100 %\nred\nopen"
	o.until("it is shown", func() bool { return d.output.pane.Text() == want })
	o.backend.says(r.ID, " line\n")
	o.backend.ends(r.ID, api.Succeeded)
	o.until("it has ended", func() bool { return strings.Contains(d.title.Text, "succeeded") })
	if want += " line"; d.output.pane.Text() != want {
		t.Errorf("after the end it shows %q", d.output.pane.Text())
	}
}

func TestARunMayPrintMoreThanTheEngineKeeps(t *testing.T) {
	o := openWindow(t)
	r := o.backend.add(api.Run{Script: "/srv/live.py", State: api.Running})
	d := o.runs.detail
	o.until("the run is shown", func() bool { return d.run.ID == r.ID })
	line := strings.Repeat("x", 1023) + "\n"
	for n := range 100 { // 800 KB; the window stopped at 256
		o.backend.says(r.ID, fmt.Sprintf("%d ", n)+strings.Repeat(line, 8))
	}
	o.until("the newest line is shown", func() bool {
		_, end := d.output.pane.Lines()
		return end == 800 && strings.Contains(d.output.pane.Text(), "\n99 xxx")
	})
	if d.output.aboveBox.Visible() {
		t.Errorf("it says %q", d.output.above.Text)
	}
}

func TestWhatIsNotShownIsTold(t *testing.T) {
	o := openWindow(t)
	v := o.runs.detail.output
	v.pane = textpane.New(textpane.Options{Buffer: buffer.Options{Max: 2 << 20, Dir: t.TempDir()}, Do: o.shell.do})
	v.beginning = func() func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) { return []byte("the beginning\n"), nil }
	}
	v.pane.Append(bytes.Repeat([]byte("a line of the output\n"), 400_000))
	v.tellAbove()
	if !v.aboveBox.Visible() || !strings.Contains(v.above.Text, "6 MB above are not shown") {
		t.Errorf("it says %q", v.above.Text)
	}
	v.openWhole()
	o.until("the whole is opened", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return len(o.host.opened) == 1
	})
	path, _, _ := strings.Cut(o.host.opened[0], ".txt:")
	path += ".txt"
	t.Cleanup(func() { os.Remove(path) })
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "the beginning\n\n[… ") || !strings.HasSuffix(string(text), "a line of the output\n") {
		t.Errorf("%v, %d bytes", err, len(text))
	}
	v.pane.Clear()
	v.tellAbove()
	if v.aboveBox.Visible() {
		t.Error("it says that something is above nothing")
	}
}

func TestTheTracebackIsShownOnce(t *testing.T) {
	printed := failed("/srv/printed.py")
	printed.Output = "before\n" + printed.Error.Traceback
	o := openWindow(t, printed)
	d := o.runs.detail
	for _, script := range []string{"/srv/printed.py", "/srv/silent.py"} {
		if script != "/srv/printed.py" {
			o.backend.add(failed(script))
		}
		o.until("the output of "+script, func() bool {
			return d.run.Script == script && strings.HasSuffix(d.output.pane.Text(), "KeyError: 'x'")
		})
		if text := d.output.pane.Text(); strings.Count(text, "Traceback") != 1 || !strings.HasPrefix(text, "before\n") {
			t.Errorf("%s shows %q", script, text)
		}
	}
}

func TestSendShowsItsOutputAsTheRunsDo(t *testing.T) {
	o := openWindow(t)
	o.until("it can be used", func() bool { o.show(o.shell.now()); return !o.console.run.Disabled() })
	o.console.code.SetText("1")
	test.Tap(o.console.run)
	o.until("it has run", func() bool { return strings.Contains(o.console.output.pane.Text(), "result = 1") && !o.console.busy })
	o.tabs.SelectIndex(o.tabOf(o.console.content))
	o.typed(&desktop.CustomShortcut{KeyName: fyne.KeyF, Modifier: fyne.KeyModifierShortcutDefault})
	if o.Canvas().Focused() != fyne.Focusable(o.console.output.find) {
		t.Error("the text to find is typed elsewhere")
	}
}

// textSink keeps what it is given.
type textSink struct {
	mu   sync.Mutex
	text []byte
}

func (s *textSink) Append(p []byte) { s.mu.Lock(); s.text = append(s.text, p...); s.mu.Unlock() }
func (s *textSink) Clear()          { s.mu.Lock(); s.text = nil; s.mu.Unlock() }
func (s *textSink) String() string  { s.mu.Lock(); defer s.mu.Unlock(); return string(s.text) }

// Whichever events are missing and however late answers are, all text is shown once and in order.
func TestNoTextIsLostOrShownTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		var mu sync.Mutex
		printed := ""
		sink := &textSink{}
		f := &outputFeed{ctx: t.Context(), pane: sink, ask: func(_ context.Context, _ string, from int64) ([]byte, int64, int64, error) {
			mu.Lock()
			defer mu.Unlock()
			to := min(int64(len(printed)), from+20) // in pieces
			return []byte(printed[from:to]), from, int64(len(printed)), nil
		}}
		run := api.Run{ID: "1", State: api.Running}
		if r.IntN(2) == 0 {
			printed = "printed before"
		}
		f.show(run)
		for n := range 60 {
			mu.Lock()
			ev := api.Event{Kind: api.KindOutput, ID: "1", From: int64(len(printed)), Text: fmt.Sprintf("%d,", n)}
			printed += ev.Text
			mu.Unlock()
			if r.IntN(4) > 0 {
				f.heard(ev)
			}
		}
		run.State = api.Succeeded
		f.update(run)
		for deadline := time.Now().Add(patience); sink.String() != printed; {
			if time.Now().After(deadline) {
				t.Fatalf("seed %d: %q is shown, and %q was printed", seed, sink, printed)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// The answer that is on its way when a run ends may be older than the last lines of the run.
func TestTheLastLinesOfARunThatEndsDuringAnAnswerAreShown(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		sink, asked, answer := &textSink{}, make(chan struct{}), make(chan struct{})
		answers := 0
		f := &outputFeed{ctx: t.Context(), pane: sink, ask: func(_ context.Context, _ string, from int64) ([]byte, int64, int64, error) {
			if answers++; answers > 1 {
				return []byte("first, last"[from:]), from, int64(len("first, last")), nil
			}
			close(asked)
			<-answer
			if fails {
				return nil, 0, 0, errors.New("the engine is away")
			}
			return []byte("first"), 0, int64(len("first")), nil
		}}
		run := api.Run{ID: "1", State: api.Running}
		ended := make(chan string, 1)
		f.finish = func(api.Run) { ended <- sink.String() }
		f.show(run)
		<-asked
		run.State = api.Succeeded
		f.update(run) // no event tells of the last text
		close(answer)
		select {
		case text := <-ended:
			if text != "first, last" {
				t.Errorf("with an answer that fails: %v: %q is shown when the run has ended", fails, text)
			}
		case <-time.After(patience):
			t.Fatal("the end of the run is not shown")
		}
	}
}

// While the engine answers, the feed holds a bounded part of what is printed.
func TestWhatTheFeedDoesNotHoldIsAskedFor(t *testing.T) {
	t.Parallel()
	sink, answer := &textSink{}, make(chan string)
	var mu sync.Mutex
	printed := "first"
	f := &outputFeed{ctx: t.Context(), pane: sink, ask: func(_ context.Context, _ string, from int64) ([]byte, int64, int64, error) {
		if text, ok := <-answer; ok { // it was printed before what follows
			return []byte(text), from, int64(len(text)), nil
		}
		mu.Lock()
		defer mu.Unlock()
		return []byte(printed[from:]), from, int64(len(printed)), nil
	}}
	run := api.Run{ID: "1", State: api.Running}
	f.show(run)
	for _, text := range []string{strings.Repeat("x", maxWaiting), "the end"} {
		f.heard(api.Event{Kind: api.KindOutput, ID: "1", From: int64(len(printed)), Text: text})
		mu.Lock()
		printed += text
		mu.Unlock()
	}
	run.State = api.Succeeded
	f.update(run)
	answer <- "first"
	close(answer)
	for deadline := time.Now().Add(patience); sink.String() != printed; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d bytes are shown", len(sink.String()), len(printed))
		}
	}
}

func TestTheWholeOfAnotherRunIsNotWritten(t *testing.T) {
	v := openWindow(t).runs.detail.output
	v.pane.Append([]byte("of the first run\n"))
	write := v.pane.Writer()
	v.pane.Clear()
	v.pane.Append([]byte("of the second run\n"))
	if path, err := writeWhole(write, []byte("beginning\n"), 10); !errors.Is(err, buffer.ErrReset) || path != "" {
		os.Remove(path)
		t.Errorf("%q, %v", path, err)
	}
}

// A run that waits again keeps its id, and its output begins at the first byte.
func TestTheOutputOfARunThatBeginsAgainReplacesTheFirst(t *testing.T) {
	t.Parallel()
	sink := &textSink{}
	var mu sync.Mutex
	printed := "the first time\n"
	f := &outputFeed{ctx: t.Context(), pane: sink, ask: func(_ context.Context, _ string, from int64) ([]byte, int64, int64, error) {
		mu.Lock()
		defer mu.Unlock()
		return []byte(printed[min(int(from), len(printed)):]), from, int64(len(printed)), nil
	}}
	is := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(patience); sink.String() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q is shown, want %q", sink, want)
			}
		}
	}
	run := api.Run{ID: "1", State: api.Running}
	f.show(run)
	is("the first time\n")
	run.State = api.Queued
	f.update(run)
	run.State = api.Running
	f.update(run)
	mu.Lock()
	printed = "again\n"
	mu.Unlock()
	f.heard(api.Event{Kind: api.KindOutput, ID: "1", Text: "again\n"})
	run.State = api.Succeeded
	f.update(run)
	is("again\n")
}
