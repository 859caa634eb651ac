package app

import (
	"fmt"
	"io"
	"math"
	"strings"

	"blendtray/api"
)

const barWidth = 30

// progress shows how far a run is, on a line of standard error below everything else. Without
// a terminal it does nothing.
func (t *terminal) progress(p api.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.barText = bar(p)
	t.draw()
	if p.Fraction >= 1 {
		t.barText = "" // the next thing written takes it away
	}
}

// draw draws the progress bar, if there is one to be drawn; the caller holds t.mu.
func (t *terminal) draw() {
	// A line that a script has begun is not to be drawn over.
	if !t.bar || t.barText == "" || t.endsOpen && t.width() > 0 {
		return
	}
	_, _ = io.WriteString(t.err, "\r"+t.barText+"\x1b[K") // nobody to tell
	t.barShown = true
}

// wipe takes the progress bar away; the caller holds t.mu.
func (t *terminal) wipe() {
	if t.barShown {
		_, _ = io.WriteString(t.err, "\r\x1b[K")
		t.barShown = false
	}
}

// done wipes the progress bar off for good.
func (t *terminal) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wipe()
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
		text += "  " + cut(oneLine(p.Text), 30)
	}
	return strings.TrimSpace(text)
}
