package app

import (
	"fmt"
	"io"
	"math"
	"strings"

	"blendtray/api"
)

// barWidths are how many columns the bar itself may have, by how much room there is.
var barWidths = []int{30, 20, 10}

const (
	// leastText is how many columns of a text are worth showing, and mostText how many are shown.
	leastText = 12
	mostText  = 40
)

// progress shows how far a run is, on a line of standard error below everything else. Without a
// terminal it shows nothing.
func (t *terminal) progress(p api.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.barOf = &p
	t.drawLocked()
	if p.Fraction >= 1 {
		t.barOf = nil // the next output removes the bar
	}
}

// drawLocked draws the progress bar, if there is a bar to draw. It needs mu. The width of the
// terminal is asked each time, because a person may change it while a run is running. A terminal
// that was made narrower may have wrapped the bar that it shows; what it has put above the last line
// stays, because a terminal that does not wrap again would lose a line of output with it.
func (t *terminal) drawLocked() {
	// The bar must not cover a line that a script has begun.
	if !t.bar || t.barOf == nil || t.endsOpen && t.width() > 0 {
		return
	}
	// A line that fills the last column has some terminals begin the next line.
	_, _ = io.WriteString(t.err, "\r"+bar(*t.barOf, max(t.errWidth()-1, 1))+"\x1b[K") // a failure can't be shown to anybody
	t.barShown = true
}

// wipeLocked removes the progress bar. It needs mu.
func (t *terminal) wipeLocked() {
	if t.barShown {
		_, _ = io.WriteString(t.err, "\r\x1b[K")
		t.barShown = false
	}
}

// done removes the progress bar for good.
func (t *terminal) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipeLocked()
	t.barOf = nil
}

// bar returns a line that shows how far a run is, of at most width columns, or of any width for 0.
// Where there is little room the bar is short; where there is less, first the text is left out, then
// the time that is left, and the bar last.
func bar(p api.Progress, width int) string {
	if width <= 0 {
		width = math.MaxInt
	}
	text, left := cut(oneLine(p.Text), mostText), ""
	if p.RemainingSeconds > 0 {
		left = seconds(p.RemainingSeconds) + " left"
	}
	need := 0
	if text != "" {
		need = min(columns(text), leastText) + 2
	}
	for _, room := range []int{width - need, width} {
		for _, blocks := range barWidths {
			if line := beside(measure(p, blocks), left); columns(line) <= room {
				if room == width {
					text = "" // there was no room for it
				}
				return beside(line, cut(text, width-columns(line)-2))
			}
		}
	}
	if short := measure(p, barWidths[len(barWidths)-1]); columns(short) <= width {
		return short
	}
	return cut(measure(p, 0), width)
}

// measure returns what a bar of so many blocks shows of a fraction, or "" where that is unknown.
func measure(p api.Progress, blocks int) string {
	if p.Fraction < 0 {
		return ""
	}
	fraction := math.Min(p.Fraction, 1)
	percent := fmt.Sprintf("%3d %%", int(fraction*100))
	if blocks == 0 {
		return strings.TrimSpace(percent)
	}
	n := int(fraction * float64(blocks))
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", n), strings.Repeat("-", blocks-n), percent)
}

// beside returns two parts of a line with a gap between them, or the part that is there.
func beside(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "  " + b
}
