package app

// All that the program says goes through this file, by these rules.
//
// Standard output is for what was asked for and nothing else: a list, JSON, what a script
// printed, the events of serve. It can be piped.
//
// Standard error is for everything that is about the command itself. A failure is a sentence
// and, where a person can act, a hint, after which the command ends with a code that is not 0:
//
//	blendtray: error: no engine answers on /run/user/1000/blendtray/control.sock
//	hint: start one with `blendtray serve`
//
// What does not end the command begins with "blendtray: warning:" or "blendtray:". Sentences
// begin with a small letter and have no full stop; a command to type stands in backquotes. A
// script's traceback is shown there as Python would, without any of this.
//
// JSON is indented, one value, with a line feed at its end; times are UTC, arrays are never
// null, and nothing else is printed beside it. Text for people has local times.
//
// Colour says nothing that the words do not. It is used on a terminal only, and not when
// NO_COLOR is set or TERM is "dumb". The progress bar lives on standard error if that is a
// terminal, and is wiped off when the command ends; what is written meanwhile scrolls by above it.
// Lists are cut to the width of a terminal and never when they are piped.
//
// Names of files have escapes such as \n in the place of their control characters, so that no two look the
// same, and what else others wrote loses them. What a script or Blender
// prints, in run and log, goes out as it is where it is piped, because a program may want each
// byte; on a terminal it keeps its colours, and all that else could order the terminal about
// becomes visible. The same filter stands before everything that goes to a terminal. JSON has
// such characters escaped.
//
// A stack of this program's own or a dump of its usage is never the answer to a mistake.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/term"

	"blendtray/api"
	"blendtray/app/fault"
)

// terminal holds the streams to which a command writes.
type terminal struct {
	mu       sync.Mutex // guards the streams, so that lines stay whole
	out, err io.Writer
	// colorOut and colorErr are true when escapes may be written to the stream.
	colorOut, colorErr bool
	// bar is true when a progress bar may be drawn on err, and barShown when the bar is visible.
	bar, barShown bool
	// barOf is what the progress bar below the output shows, or nil.
	barOf *api.Progress
	// width returns how many columns out has now, or 0 when out is no terminal; errWidth says the
	// same of err.
	width, errWidth func() int
	// shownOut and shownErr stand before a stream that is a terminal; nil for another stream.
	shownOut, shownErr *visible
	// endsOpen is true when the last output on out has no line feed at its end.
	endsOpen bool
}

func newTerminal(out, err *os.File, getenv func(string) string) *terminal {
	outTTY, errTTY := term.IsTerminal(int(out.Fd())), term.IsTerminal(int(err.Fd()))
	escapes := getenv("TERM") != "dumb"
	color := escapes && getenv("NO_COLOR") == ""
	t := &terminal{
		out: out, err: err,
		colorOut: outTTY && color && enableEscapes(out),
		colorErr: errTTY && color && enableEscapes(err),
		bar:      errTTY && escapes && enableEscapes(err),
		width:    widthOf(out, outTTY), errWidth: widthOf(err, errTTY),
	}
	if errTTY {
		t.shownErr = &visible{colors: t.colorErr}
	}
	if outTTY {
		t.shownOut = &visible{colors: t.colorOut}
	}
	return t
}

// widthOf returns a function that returns how many columns a terminal has now, or 0 for what is no
// terminal.
func widthOf(f *os.File, tty bool) func() int {
	return func() int {
		if !tty {
			return 0
		}
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil || w <= 0 {
			return 80 // a terminal that does not know its width
		}
		return w
	}
}

// printf writes formatted text to standard output.
func (t *terminal) printf(format string, args ...any) {
	t.writeOut(fmt.Sprintf(format, args...))
}

// writeOut writes text to standard output: as it is, unless that is a terminal.
func (t *terminal) writeOut(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writeLocked(t.shownOut.add(text))
}

// writeLocked writes text to standard output. It needs mu.
func (t *terminal) writeLocked(text string) {
	if text == "" {
		return
	}
	t.wipeLocked()
	// When standard output fails, nobody can be told.
	_, _ = io.WriteString(t.out, text)
	t.endsOpen = !strings.HasSuffix(text, "\n")
	t.drawLocked()
}

// writeErr writes text to standard error. It begins a new line when both streams are the same
// screen.
func (t *terminal) writeErr(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reset := t.shownOut.reset(); reset != "" {
		_, _ = io.WriteString(t.out, reset) // a script's colour must not colour what follows
	}
	t.wipeLocked()
	text = t.shownErr.add(text) + t.shownErr.rest()
	if t.endsOpen && t.bar && t.width() > 0 {
		text = "\n" + text
		t.endsOpen = false
	}
	_, _ = io.WriteString(t.err, text) // as in writeOut
	t.drawLocked()
}

// note prints what a person may want to know and a program does not.
func (t *terminal) note(format string, args ...any) {
	t.writeErr("blendtray: " + clean(fmt.Sprintf(format, args...)) + "\n")
}

func (t *terminal) warn(format string, args ...any) {
	t.writeErr("blendtray: " + paint(t.colorErr, yellow, "warning:") + " " + clean(fmt.Sprintf(format, args...)) + "\n")
}

// printJSON writes a value to standard output as JSON.
func (t *terminal) printJSON(v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	t.writeOut(escapeHidden(b.String()))
	return nil
}

// escapeHidden returns JSON with escapes in the place of the characters that [hidden] names, which
// JSON may have in texts as they are. It means the same.
func escapeHidden(text string) string {
	if !strings.ContainsFunc(text, mustEscape) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if mustEscape(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func mustEscape(r rune) bool { return r != '\n' && api.HidesText(r) }

// exit prints a command's error and returns the exit code for it.
func (t *terminal) exit(err error) int {
	t.finish()
	if err == nil {
		return fault.OK
	}
	var said fault.Quietly
	if errors.As(err, &said) {
		return int(said)
	}
	code, hint := fault.Explain(err)
	text := "blendtray: " + paint(t.colorErr, red, "error:") + " " + clean(err.Error()) + "\n"
	if hint != "" {
		text += paint(t.colorErr, dim, "hint:") + " " + clean(hint) + "\n"
	}
	t.writeErr(text)
	return code
}

// finish writes what was held back of the output, and ends a colour that a script has left on.
func (t *terminal) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writeLocked(t.shownOut.rest())
}

// clean returns s without the characters that would move a terminal's cursor, change its colours
// or change the order of the text, but with its lines.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !api.HidesText(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// oneLine returns s like clean, for a place that has room for a single line.
func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(clean(s))
}

// style is an escape sequence that begins a style of writing.
type style string

const (
	plain  style = ""
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	cyan   style = "\x1b[36m"
	dim    style = "\x1b[2m"
)

func paint(on bool, s style, text string) string {
	if !on || s == plain || text == "" {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// styleOf returns the colour of a state, of a run or of a Blender.
func styleOf(state string) style {
	switch state {
	case "succeeded", "ready":
		return green
	case "failed", "crashed", "timed-out":
		return red
	case "cancelled", "interrupted", "stopping", "stopped", "waiting":
		return yellow
	case "running", "starting":
		return cyan
	}
	return plain
}
