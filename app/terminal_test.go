package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/control"
)

// screen is a terminal of 60 columns that tests can read.
type screen struct {
	*terminal
	out, err strings.Builder
}

func newScreen(tty bool) *screen {
	s := &screen{}
	s.terminal = &terminal{out: &s.out, err: &s.err, bar: tty, colorErr: tty, colorOut: tty, width: func() int { return 0 }, errWidth: func() int { return 0 }}
	if tty {
		s.width = func() int { return 60 }
		s.errWidth = func() int { return 80 }
		s.shownOut, s.shownErr = &visible{colors: true}, &visible{colors: true}
	}
	return s
}

func TestAFailureIsASentenceAndAHint(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{errors.New("it broke"), 1, "blendtray: error: it broke\n"},
		{fault.New(2, "try `x`", "no %s", "such thing"), 2, "blendtray: error: no such thing\nhint: try `x`\n"},
		{fmt.Errorf("ask: %w", fault.New(4, "", "late")), 4, "blendtray: error: ask: late\n"},
		{fault.Quietly(6), 6, ""},
		{fmt.Errorf("%w on /s", control.ErrNoEngine), 3, "blendtray: error: no engine answers on /s\nhint: start one with `blendtray serve`\n"},
		{&control.Error{Code: control.CodeConflict, Message: "it has ended", Hint: "too late"}, 1, "blendtray: error: it has ended\nhint: too late\n"},
		{&control.Error{Code: control.CodeBadRequest, Message: "bad"}, 2, "blendtray: error: bad\n"},
		{errors.New("a name with \u202e in it"), 1, "blendtray: error: a name with \ufffd in it\n"},
		{errors.New("a name with \x1b[31m in it"), 1, "blendtray: error: a name with \ufffd[31m in it\n"},
	} {
		s := newScreen(false)
		if code := s.exit(x.err); code != x.code || s.err.String() != x.want || s.out.Len() != 0 {
			t.Errorf("%v: exit code %d and %q, want %d and %q", x.err, code, s.err.String(), x.code, x.want)
		}
	}
}

func TestTheProgressBarIsOnATerminalOnlyAndStaysBelowOutput(t *testing.T) {
	t.Parallel()
	half := api.Progress{Fraction: 0.5, Text: "Sample 32/64", RemainingSeconds: 3}
	piped := newScreen(false)
	piped.progress(half)
	piped.writeOut("x\n")
	if piped.err.Len() != 0 {
		t.Errorf("piped: %q", piped.err.String())
	}

	s := newScreen(true)
	s.progress(half)
	want := "\r[###############---------------]  50 %  3.00 s left  Sample 32/64\x1b[K"
	if s.err.String() != want {
		t.Errorf("drawn %q, want %q", s.err.String(), want)
	}
	s.err.Reset()
	s.writeOut("a line\n")
	if s.err.String() != "\r\x1b[K"+want {
		t.Errorf("around a line: %q", s.err.String())
	}
	s.err.Reset()
	s.writeOut("half a line")
	s.progress(half)
	if s.err.String() != "\r\x1b[K" {
		t.Errorf("drawn over half a line: %q", s.err.String())
	}
	s.done()
	s.err.Reset()
	s.writeErr("Traceback\n")
	if s.err.String() != "\nTraceback\n" {
		t.Errorf("the traceback is not on a line of its own: %q", s.err.String())
	}

	s.err.Reset()
	s.progress(api.Progress{Fraction: 1})
	s.writeOut("Saved\n")
	s.writeOut("more\n")
	if s.err.String() != "\r[##############################] 100 %\x1b[K\r\x1b[K" {
		t.Errorf("at the end: %q", s.err.String())
	}
}

// The bar never fills the last column, from which a terminal would go on in the next line.
func TestTheProgressBarIsAsWideAsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, p := range []api.Progress{
		{Fraction: 0.5, Text: "Sample 32/64", RemainingSeconds: 3},
		{Fraction: 0.5, Text: "Fra:12 Mem:140.20M (Peak 150.00M) | Time:00:12.40 | Rendering 12 / 64 samples", RemainingSeconds: 7300},
		{Fraction: 0.999, Text: "渲染第十二帧，一共二十四帧，还有很多很多很多很多很多", RemainingSeconds: 100},
		{Fraction: -1, Text: "Reading a file with a name that is longer than any line may be"},
		{Fraction: 1},
	} {
		s := newScreen(true)
		for width := 1; width < 130; width++ {
			s.errWidth = func() int { return width } // a person makes the window wider
			s.err.Reset()
			s.progress(p)
			line := strings.TrimSuffix(strings.TrimPrefix(s.err.String(), "\r"), "\x1b[K")
			if columns(line) > max(width-1, 1) {
				t.Errorf("%d columns: %q has %d", width, line, columns(line))
			}
			if width > 24 && p.Fraction >= 0 && !strings.Contains(line, "#") {
				t.Errorf("%d columns: %q has no bar", width, line)
			}
			s.done()
		}
	}
	half := api.Progress{Fraction: 0.5, Text: "Sample 32/64", RemainingSeconds: 3}
	for width, want := range map[int]string{
		100: "[###############---------------]  50 %  3.00 s left  Sample 32/64",
		50:  "[#####-----]  50 %  3.00 s left  Sample 32/64",
		30:  "[#####-----]  50 %",
		10:  "50 %",
		0:   "[###############---------------]  50 %  3.00 s left  Sample 32/64",
	} {
		if got := bar(half, width); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
}

func TestATableIsAlignedAndCutToTheTerminal(t *testing.T) {
	t.Parallel()
	tb := &table{heading: []string{"ID", "STATE", "SCRIPT"}}
	tb.add(cell{text: "1"}, cell{"failed", red}, cell{text: "/a/rather/long/folder/of/scripts/turntable.py"})
	tb.add(cell{text: "123"}, cell{text: "ok"}, cell{text: "größe.py"})
	want := "ID   STATE   SCRIPT\n" +
		"1    failed  /a/rather/long/folder/of/scripts/turntable.py\n" +
		"123  ok      größe.py\n"
	if got := tb.render(0, false); got != want {
		t.Errorf("piped:\n%s", got)
	}
	want = "ID   STATE   SCRIPT\n" +
		"1    failed  …/of/scripts/turntable.py\n" +
		"123  ok      größe.py\n"
	if got := tb.render(38, false); got != want {
		t.Errorf("cut:\n%s", got)
	}
	if got := tb.render(38, true); !strings.Contains(got, "1    \x1b[31mfailed\x1b[0m  …") {
		t.Errorf("in colour: %q", got)
	}
}

func TestNumbersReadAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for s, want := range map[float64]string{
		0.0012: "1.2 ms", 0.42: "0.42 s", 9.5: "9.50 s", 12.34: "12.3 s", 99.96: "1 min 40 s", 3725: "1 h 2 min", 200000: "2 days 7 h",
	} {
		if got := seconds(s); got != want {
			t.Errorf("%v s: %q, want %q", s, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 bytes", 999: "999 bytes", 1500: "1.5 KB", 232_000_000: "232 MB", 999_999: "1.0 MB", 5e12: "5.0 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local)
	if got := moment(now.Add(-time.Hour), now); got != "11:00:00" {
		t.Errorf("an hour ago: %s", got)
	}
	if got := moment(now.AddDate(0, 0, -1), now); got != "2026-04-30 12:00:00" {
		t.Errorf("yesterday: %s", got)
	}
}
