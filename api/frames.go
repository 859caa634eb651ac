package api

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Render says what is rendered: after the script of a run, or without a script.
type Render struct {
	// Frames are the frames to render; none are those of the scene, from its first to its last by
	// its step.
	Frames Frames `json:"frames"`
	// Engine is the name of the render engine, such as "CYCLES", or "" for the scene's.
	Engine string `json:"engine"`
	// Output is the path of the pictures as Blender has it, with # for the digits of the frame: it
	// is absolute, or begins with // for the folder of the .blend. "" is the scene's.
	Output string `json:"output"`
	// Format is the format of the files, such as "PNG" or "OPEN_EXR", or "" for the scene's.
	Format string `json:"format"`
}

// String returns what is rendered, for a person: "frames 1-250", "frame 12", or "all frames".
func (r Render) String() string {
	switch {
	case r.Frames.None():
		return "all frames"
	case r.Frames.single():
		return "frame " + r.Frames.String()
	}
	return "frames " + r.Frames.String()
}

// Frames are frames as a person writes them: "12", "1-250,300", "1-100x5" for every fifth frame. As
// for Blender's --render-frame, "1..250" is a range too, "+3" is the third frame after the scene's
// first, and "-1" its last. The zero value are no frames.
type Frames struct{ text string }

// FrameRow is a part of [Frames]: a first and a last frame, and a step.
type FrameRow struct {
	First, Last FrameEnd
	Step        int
}

// FrameEnd is a frame by its number, or counted from an end of the scene.
type FrameEnd struct {
	Number int
	// From is 0 for the number of a frame, '+' for so many frames after the scene's first, and '-'
	// for the scene's last frames: 1 is the last of them.
	From byte
}

const (
	// maxFrame is the highest frame that Blender has.
	maxFrame = 1_048_574
	// maxFrameRows is how many parts frames may have.
	maxFrameRows = 10_000
)

var (
	frameRow = regexp.MustCompile(`^([+-]?\d{1,9})(?:(?:\.\.|-)([+-]?\d{1,9}))?(?:x(\d{1,9}))?$`)
	// dashes: what a dash can't separate, since a sign stands beside it.
	dashes = regexp.MustCompile(`^[+-]\d+-|\d-[+-]`)
)

// FramesOf returns the frames that a text means. It fails with a sentence when it means none.
func FramesOf(text string) (Frames, error) {
	f := Frames{strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), "")}
	if f.text == "" {
		return f, nil
	}
	_, err := f.rows()
	if err != nil {
		return Frames{}, err
	}
	return f, nil
}

// None reports whether there are no frames.
func (f Frames) None() bool { return f.text == "" }

// String returns the frames as they were written, without spaces.
func (f Frames) String() string { return f.text }

// MarshalText writes the frames as [Frames.String] does.
func (f Frames) MarshalText() ([]byte, error) { return []byte(f.text), nil }

// UnmarshalText reads frames as [FramesOf] does.
func (f *Frames) UnmarshalText(text []byte) (err error) {
	*f, err = FramesOf(string(text))
	return err
}

// Rows returns the parts of the frames, in their order.
func (f Frames) Rows() []FrameRow {
	if f.text == "" {
		return nil
	}
	rows, err := f.rows()
	if err != nil {
		return nil // FramesOf has made no such frames
	}
	return rows
}

// single reports whether the text is one frame.
func (f Frames) single() bool { return !strings.ContainsAny(strings.TrimLeft(f.text, "+-"), ",.-x") }

func (f Frames) rows() ([]FrameRow, error) {
	parts := strings.Split(f.text, ",")
	if len(parts) > maxFrameRows {
		return nil, fmt.Errorf("%d frames and ranges; there may be %d", len(parts), maxFrameRows)
	}
	var rows []FrameRow
	for _, part := range parts {
		found := frameRow.FindStringSubmatch(part)
		if found == nil || dashes.MatchString(part) {
			return nil, fmt.Errorf("%q are no frames; write 12, 1-250, 1-250,300 or 1-100x5, and with .. what counts from an end of the scene: +1..-1", part)
		}
		first := frameEnd(found[1])
		row := FrameRow{First: first, Last: first, Step: 1}
		if found[2] != "" {
			row.Last = frameEnd(found[2])
		}
		if found[3] != "" {
			row.Step, _ = strconv.Atoi(found[3]) // the pattern admits digits alone
		}
		switch highest := max(row.First.Number, row.Last.Number, row.Step); {
		case highest > maxFrame:
			return nil, fmt.Errorf("%s: Blender's last frame is %d", part, maxFrame)
		case row.Step == 0:
			return nil, fmt.Errorf("%s: the step is 1 or more", part)
		case found[3] != "" && found[2] == "":
			return nil, fmt.Errorf("%s: a step needs a range, such as 1-100x5", part)
		case row.First.From == 0 && row.Last.From == 0 && row.First.Number > row.Last.Number:
			return nil, fmt.Errorf("%s goes from a later to an earlier frame", part)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// frameEnd returns the end that a text of digits with or without a sign means.
func frameEnd(text string) FrameEnd {
	end := FrameEnd{}
	if text[0] == '+' || text[0] == '-' {
		end.From, text = text[0], text[1:]
	}
	end.Number, _ = strconv.Atoi(text) // nine digits at most
	return end
}

// String returns the end as it is written.
func (e FrameEnd) String() string {
	if e.From == 0 {
		return strconv.Itoa(e.Number)
	}
	return string(e.From) + strconv.Itoa(e.Number)
}

// Frame is a single frame in the settings, or none.
type Frame struct{ Frames }

// UnmarshalText reads a frame as [FramesOf] does. It fails for several frames.
func (f *Frame) UnmarshalText(text []byte) error {
	frames, err := FramesOf(string(text))
	if err == nil && !frames.single() {
		err = fmt.Errorf("%q is not a single frame", text)
	}
	if err == nil {
		f.Frames = frames
	}
	return err
}

// Or returns the frame, or the frames others where there is none.
func (f Frame) Or(others Frames) Frames { return cmp.Or(f.Frames, others) }

// EstimateRemaining returns how many seconds are left of a work of which a part is done, 0 to 1, after so
// many seconds: 0 when that can't be told yet.
func EstimateRemaining(seconds, part float64) float64 {
	if !(part > 0.001) || part >= 1 || seconds < 0 {
		return 0
	}
	left := seconds * (1 - part) / part
	if math.IsInf(left, 0) || math.IsNaN(left) {
		return 0
	}
	return left
}
