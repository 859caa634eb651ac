package blender

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What Blender prints of a render, as seen in 2.93 to 4.x. The frame stands in every line,
// samples in those of Cycles and EEVEE, an estimate in those of Cycles:
//
//	Fra:1 Mem:22.04M (Peak 22.43M) | Time:00:00.13 | Remaining:00:01.02 | Mem:1.18M, Peak:1.18M | Scene, ViewLayer | Sample 3/64
//	Fra:1 Mem:30.42M (Peak 31.10M) | Time:00:00.30 | Rendering 5 / 64 samples
var (
	frameLine  = regexp.MustCompile(`^Fra:(-?\d+) `)
	samplePart = regexp.MustCompile(`\bSample (\d+)/(\d+)|Rendering (\d+) / (\d+) samples|Rendered (\d+)/(\d+) Tiles`)
	remainPart = regexp.MustCompile(`Remaining:((?:\d+:)?\d+:\d+(?:\.\d+)?)`)
)

// progressPace bounds how often a run's progress is told.
const progressPace = 50 * time.Millisecond

// renderProgress finds in a run's output how far its render is.
type renderProgress struct {
	line []byte
	last time.Time
	tell func(Progress)
}

// maxLine bounds the part of a line that is looked at, in bytes; Blender's are shorter.
const maxLine = 1024

// take looks at the next bytes of output.
func (r *renderProgress) take(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		// Most lines are a script's own, and are passed over at their first letter.
		if room := maxLine - len(r.line); room > 0 && (len(r.line) > 0 || len(piece) == 0 || piece[0] == 'F') {
			r.line = append(r.line, piece[:min(room, len(piece))]...)
		} else if len(r.line) == 0 && end < 0 {
			r.line = append(r.line, 0) // the rest of this line is not looked at either
		}
		if end < 0 {
			return
		}
		if bytes.HasPrefix(r.line, []byte("Fra:")) {
			r.told(string(r.line))
		}
		r.line = r.line[:0]
		p = p[end+1:]
	}
}

func (r *renderProgress) told(line string) {
	found := frameLine.FindStringSubmatch(line)
	if found == nil {
		return
	}
	progress := Progress{Fraction: -1, Text: "frame " + found[1]}
	if sample := samplePart.FindStringSubmatch(line); sample != nil {
		var numbers []float64
		for _, text := range sample[1:] {
			if text != "" {
				number, _ := strconv.ParseFloat(text, 64) // the pattern admits digits alone
				numbers = append(numbers, number)
			}
		}
		if numbers[1] > 0 {
			progress.Fraction = math.Min(1, numbers[0]/numbers[1])
		}
	}
	if remaining := remainPart.FindStringSubmatch(line); remaining != nil {
		progress.RemainingSeconds = clockSeconds(remaining[1])
	}
	if now := time.Now(); progress.Fraction == 1 || now.Sub(r.last) >= progressPace {
		r.last = now
		r.tell(progress)
	}
}

// clockSeconds reads "01:02.50" or "1:02:03" as seconds.
func clockSeconds(text string) float64 {
	seconds := 0.0
	for part := range strings.SplitSeq(text, ":") {
		value, _ := strconv.ParseFloat(part, 64) // the pattern admits digits and a point alone
		seconds = seconds*60 + value
	}
	return seconds
}
