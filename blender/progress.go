package blender

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
)

// Blender prints the following lines about a render: the first three from 2.93 to 4.x, by Cycles,
// by EEVEE and by Cycles with tiles; the last two in 5.x.
//
//	Fra:1 Mem:10.37M (Peak 10.47M) | Time:00:00.04 | Remaining:00:00.02 | Mem:0.90M, Peak:0.90M | Scene, ViewLayer | Sample 1/16
//	Fra:1 Mem:11.06M (Peak 12.18M) | Time:00:01.72 | Rendering 1 / 8 samples
//	Fra:1 Mem:11.06M (Peak 12.18M) | Time:00:01.72 | Mem:0.90M, Peak:0.90M | Scene, ViewLayer | Rendered 3/24 Tiles, Sample 5/64
//	Saved: '/tmp/x_0001.png'
//	00:00.100  render           | Rendering animation (frames 1..3)
//	00:01.643  render           | Fra: 1 | Remaining: 00:09.21 | Mem: 2M | Sample 1/16
//
// Only 5.x says how many frames there will be. Workbench says nothing but what it saved.
var (
	frameLine   = regexp.MustCompile(`^(?:Fra: ?|Rendering frame )(-?\d+)\b`)
	rangeLine   = regexp.MustCompile(`^Rendering animation \(frames (-?\d+)\.\.(-?\d+)\)`)
	savedLine   = regexp.MustCompile(`^Saved: '(.*)'`)
	samplePart  = regexp.MustCompile(`\bSample (\d+)/(\d+)|\bRendering (\d+) / (\d+) samples`)
	tilePart    = regexp.MustCompile(`\bRendered (\d+)/(\d+) Tiles`)
	remainPart  = regexp.MustCompile(`\bRemaining: ?((?:\d+:)?\d+:\d+(?:\.\d+)?)`)
	measurePart = regexp.MustCompile(`^(?:Fra|Mem|Time|Remaining|Peak)\b`)
)

const (
	// progressPace is the least time between two reports of a run's progress.
	progressPace = 50 * time.Millisecond
	// maxLine is how many bytes of a line are looked at; the lines of Blender are shorter.
	maxLine = 1024
)

// renderProgress reads a run's output to find how far its render is, and joins that with the
// progress that the script reports.
type renderProgress struct {
	line []byte // the beginning of a line whose end has not come
	skip bool   // the rest of this line is of no interest

	first, last int  // the frames of an animation
	known       bool // whether first and last are known
	frame       int
	frames      int // how many different frames were seen
	within      float64

	render frames // what the add-on tells of the frames that a run renders

	next   api.Progress // not reported yet, if wait is true
	wait   bool
	toldAt time.Time // when a progress was last reported
	tell   func(api.Progress)
}

// report is a progress as Blender's add-on tells it.
type report struct {
	api.Progress
	// rendering is true when the frame begins, and false when it is there.
	rendering bool
	// written, when it is not "", is the path of a picture that a render has written, and all that the
	// report says.
	written string
}

// frames is how far the frames of a run are, of which the add-on tells how many there are.
type frames struct {
	report           // the last one; Frames is 0 before the first
	began  time.Time // when the first frame was begun that this Blender renders
	here   int       // how many frames this Blender has finished
}

// told takes what the add-on tells at a time.
func (r *renderProgress) told(told report, at time.Time) {
	f := &r.render
	switch {
	case told.Frames == 0 && f.Frames > 0: // of the frame that is being rendered
		if f.rendering {
			r.within = min(1, max(0, told.Fraction))
			r.say(r.framesAre(told.Text, at))
		}
		return
	case told.Frames == 0:
		r.say(told.Progress)
		return
	}
	switch {
	case told.rendering && f.began.IsZero():
		f.began = at
	case !told.rendering && f.rendering && told.Frame == f.Frame:
		f.here++
	}
	if told.Picture == "" {
		told.Picture = f.Picture
	}
	f.report = told
	r.frame, r.within = told.Frame, 0
	text := ""
	if !told.rendering && told.Picture != "" {
		text = "saved " + baseName(told.Picture)
	}
	r.say(r.framesAre(text, at))
}

// framesAre returns the progress of the frames at a time, with what is being done.
func (r *renderProgress) framesAre(doing string, at time.Time) api.Progress {
	f := r.render
	p := f.Progress
	here, done := float64(f.here), float64(f.FramesDone)
	if f.rendering {
		here, done = here+r.within, done+r.within
	}
	p.Fraction = min(1, done/float64(f.Frames))
	left := float64(f.Frames) - done
	if !f.began.IsZero() && here+left > 0 {
		p.RemainingSeconds = api.EstimateRemaining(at.Sub(f.began).Seconds(), here/(here+left))
	}
	p.Text = fmt.Sprintf("frame %d (%d of %d)", f.Frame, min(f.Frames, f.FramesDone+1), f.Frames)
	if !f.rendering {
		p.Text = fmt.Sprintf("%d of %d frames", f.FramesDone, f.Frames)
	}
	if doing != "" {
		p.Text += ": " + doing
	}
	return p
}

// write reads the next bytes of output.
func (r *renderProgress) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		piece, whole := p, end >= 0
		if whole {
			piece, p = p[:end], p[end+1:]
		} else {
			p = nil
		}
		switch {
		case r.skip:
		case len(r.line) == 0 && len(piece) > 0 && !mayTell(piece[0]):
			r.skip = true // most lines come from the script, and their first letter shows that
		case len(r.line) == 0 && whole:
			r.readLine(piece[:min(maxLine, len(piece))])
		default:
			r.line = append(r.line, piece[:min(maxLine-len(r.line), len(piece))]...)
			if whole {
				r.readLine(r.line)
			}
		}
		if whole {
			r.line, r.skip = r.line[:0], false
		}
	}
}

// mayTell returns whether a line with this first byte can be a line of Blender about a render.
func mayTell(first byte) bool {
	return first == 'F' || first == 'S' || first == 'R' || first >= '0' && first <= '9'
}

// readLine reads one line.
func (r *renderProgress) readLine(line []byte) {
	if len(line) > 0 && line[0] >= '0' && line[0] <= '9' {
		rest, ok := api.CutRenderLogHead(line)
		if !ok {
			return
		}
		line = rest
	}
	switch {
	case bytes.HasPrefix(line, []byte("Fra:")), bytes.HasPrefix(line, []byte("Rendering frame ")):
		r.inFrame(string(line))
	case bytes.HasPrefix(line, []byte("Rendering animation ")):
		if found := rangeLine.FindSubmatch(line); found != nil {
			r.first, r.last = number(string(found[1])), number(string(found[2]))
			r.known, r.frames, r.within = r.last >= r.first, 0, 0
		}
	case bytes.HasPrefix(line, []byte("Saved: '")):
		if found := savedLine.FindSubmatch(line); found != nil && r.render.Frames == 0 {
			fraction := r.fraction()
			if fraction < 0 && !r.toldAt.IsZero() {
				fraction = r.next.Fraction // as somebody else has told it
			}
			r.say(api.Progress{Fraction: fraction, Text: "saved " + baseName(string(found[1]))})
		}
	}
}

// inFrame reads a line about a frame that is being rendered.
func (r *renderProgress) inFrame(line string) {
	found := frameLine.FindStringSubmatch(line)
	if found == nil {
		return
	}
	if of := r.render; of.Frames > 0 && (!of.rendering || of.Frame != number(found[1])) {
		return // the session is ahead of the pipe
	}
	if frame := number(found[1]); r.frames == 0 || frame != r.frame {
		r.frame, r.within = frame, 0
		r.frames++
		if r.known && (frame < r.first || frame > r.last) {
			r.known, r.frames = false, 1 // another render has begun, and its length is unknown
		}
	}
	if tiles := tilePart.FindStringSubmatch(line); tiles != nil {
		// Samples beside tiles are the samples of the current tile.
		r.within = ratio(tiles[1], tiles[2])
		if sample := samplePart.FindStringSubmatch(line); sample != nil && sample[1] != "" && r.within < 1 {
			r.within += ratio(sample[1], sample[2]) / float64(max(1, number(tiles[2])))
		}
	} else if sample := samplePart.FindStringSubmatch(line); sample != nil {
		r.within = max(ratio(sample[1], sample[2]), ratio(sample[3], sample[4]))
	}
	parts := strings.Split(line, " | ")
	doing := strings.TrimSpace(parts[len(parts)-1])
	if doing == "Finished" {
		r.within = 1
	}
	text := fmt.Sprintf("frame %d", r.frame)
	if doing != "" && !measurePart.MatchString(doing) && !strings.HasPrefix(doing, "Rendering frame ") {
		text += ": " + doing
	}
	if r.render.Frames > 0 {
		_, doing, _ = strings.Cut(text, ": ")
		r.say(r.framesAre(doing, time.Now()))
		return
	}
	progress := api.Progress{Fraction: r.fraction(), Text: text}
	if remaining := remainPart.FindStringSubmatch(line); remaining != nil && progress.Fraction >= 0 && (!r.known || r.frame == r.last) {
		progress.RemainingSeconds = clockSeconds(remaining[1]) // of this frame, so of the render
	}
	r.say(progress)
}

// fraction returns how far the render is, 0 to 1, or -1 when that is unknown: in an animation of
// unknown length, from its second frame on.
func (r *renderProgress) fraction() float64 {
	switch {
	case r.known:
		if r.frames == 0 {
			return 0
		}
		return min(1, (float64(r.frame-r.first)+r.within)/float64(r.last-r.first+1))
	case r.frames == 1:
		return min(1, r.within)
	}
	return -1
}

// say reports a progress, or keeps it for later when the last report was a moment ago.
func (r *renderProgress) say(p api.Progress) {
	r.next, r.wait = p, true
	if now := time.Now(); now.Sub(r.toldAt) >= progressPace {
		r.toldAt = now
		r.flush()
	}
}

// flush reports the progress that was kept for later.
func (r *renderProgress) flush() {
	if r.wait {
		r.wait = false
		r.tell(r.next)
	}
}

func ratio(part, whole string) float64 {
	if n := number(whole); n > 0 {
		return float64(number(part)) / float64(n)
	}
	return 0
}

// number returns the number in a text of digits, or 0 when it is too large for an int.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// baseName returns a file's name without its folders, for the paths of all systems.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// clockSeconds returns the seconds in a text like "01:02.50" or "1:02:03".
func clockSeconds(text string) float64 {
	seconds := 0.0
	for part := range strings.SplitSeq(text, ":") {
		value, _ := strconv.ParseFloat(part, 64) // the pattern admits digits and a point alone
		seconds = seconds*60 + value
	}
	return seconds
}
