package logfile

import (
	"bytes"
	"strings"
)

// Level is how serious a line of the engine's log is.
type Level int

// The levels, the least serious first.
const (
	AnyLevel Level = iota
	Info
	Warning
	Error
)

// Filter says which lines of a log are shown.
type Filter struct {
	// Text is in each line, in upper or lower case; "" is in all.
	Text string
	// Least is how serious a line is at least. A line that does not say its level is shown: the trace of a
	// crash says none.
	Least Level
}

// All reports whether the filter leaves out no line.
func (f Filter) All() bool { return f.Text == "" && f.Least == AnyLevel }

// LevelOf returns the level that a line of the engine's log says, or AnyLevel.
func LevelOf(line []byte) Level {
	_, rest, found := bytes.Cut(line, []byte("level="))
	if !found {
		return AnyLevel
	}
	word, _, _ := bytes.Cut(rest, []byte(" "))
	switch string(bytes.TrimRight(word, "+-0123456789\r\n")) { // slog writes WARN+1 for what lies between
	case "ERROR":
		return Error
	case "WARN":
		return Warning
	case "INFO", "DEBUG":
		return Info
	}
	return AnyLevel
}

// matcher returns a function that reports whether a line is shown.
func (f Filter) matcher() func(line []byte) bool {
	text := []byte(strings.ToLower(f.Text))
	return func(line []byte) bool {
		if f.Least > AnyLevel {
			if level := LevelOf(line); level != AnyLevel && level < f.Least {
				return false
			}
		}
		return len(text) == 0 || bytes.Contains(bytes.ToLower(line), text)
	}
}

// maxHeld is how long a line may get whose end has not come: a longer one counts as several.
const maxHeld = 1 << 20

// Writer returns a function that passes on to write the lines that the filter shows, of text that comes in
// pieces. A line is passed on when it has its end.
func (f Filter) Writer(write func(text string)) func(text string) {
	if f.All() {
		return write
	}
	shows := f.matcher()
	var held []byte
	return func(text string) {
		held = append(held, text...)
		var out []byte
		for {
			i := bytes.IndexByte(held, '\n')
			if i < 0 && len(held) < maxHeld {
				break
			}
			if i < 0 {
				i = len(held) - 1
			}
			if line := held[:i+1]; shows(line) {
				out = append(out, line...)
			}
			held = held[i+1:]
		}
		held = append([]byte(nil), held...) // gives back what was in front
		if len(out) > 0 {
			write(string(out))
		}
	}
}
