package app

import (
	"fmt"
	"io"
	"math"
	"strings"

	"blendtray/api"
)

const barWidth = 30

// progress shows how far a run is, on a line of standard error below everything else. Without a
// terminal it shows nothing.
func (t *terminal) progress(p api.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.barText = bar(p)
	t.drawLocked()
	if p.Fraction >= 1 {
		t.barText = "" // the next output removes the bar
	}
}

// drawLocked draws the progress bar, if there is a bar to draw. It needs mu.
func (t *terminal) drawLocked() {
	// The bar must not cover a line that a script has begun.
	if !t.bar || t.barText == "" || t.endsOpen && t.width() > 0 {
		return
	}
	_, _ = io.WriteString(t.err, "\r"+t.barText+"\x1b[K") // a failure can't be shown to anybody
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
	t.barText = ""
}

func bar(p api.Progress) string {
	text := ""
	if p.Fraction >= 0 {
		f := math.Min(p.Fraction, 1)
		n := int(f * barWidth)
		text = fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", n), strings.Repeat("-", barWidth-n), int(f*100))
	}
	if p.RemainingSeconds > 0 {
		text += fmt.Sprintf("  %s left", seconds(p.RemainingSeconds))
	}
	if p.Text != "" {
		text += "  " + cut(oneLine(p.Text), 40)
	}
	return strings.TrimSpace(text)
}
