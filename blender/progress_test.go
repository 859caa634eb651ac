package blender

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

// progressOf is all that is told of an output that comes in the pieces given.
func progressOf(pieces ...string) []api.Progress {
	var told []api.Progress
	r := renderProgress{tell: func(p api.Progress) { told = append(told, p) }}
	for _, piece := range pieces {
		r.toldAt = time.Time{} // as if some time had passed
		r.write([]byte(piece))
	}
	r.flush()
	return told
}

func TestProgressIsReadFromWhatBlenderPrints(t *testing.T) {
	t.Parallel()
	const cycles = " Mem:10.37M (Peak 10.47M) | Time:00:00.04 | Remaining:01:01.50 | Mem:0.90M, Peak:0.90M | Scene, ViewLayer | "
	for _, c := range []struct {
		name  string
		lines []string
		want  []api.Progress
	}{
		{"a script's own words", []string{"no render\n", "not Fra:1 | Sample 1/2\n", "00:01 rendered | Fra: 1\n", "\n", "S\n"}, nil},
		{"a still of Cycles", []string{
			"Fra:1 Mem:9.35M (Peak 9.42M) | Time:00:00.00 | Mem:0.00M, Peak:0.00M | Scene, ViewLayer | Initializing\n",
			"Fra:1" + cycles + "Sample 16/64\n",
			"Fra:1" + cycles + "Finished\n",
			"Saved: '/tmp/picture.png'\n",
		}, []api.Progress{{Fraction: 0, Text: "frame 1: Initializing"}, {Fraction: 0.25, Text: "frame 1: Sample 16/64", RemainingSeconds: 61.5}, {Fraction: 1, Text: "frame 1: Finished", RemainingSeconds: 61.5}, {Fraction: 1, Text: "saved picture.png"}}},
		{"an animation of unknown length", []string{
			"Fra:-3" + cycles + "Sample 64/64\n",
			"Fra:-2" + cycles + "Sample 16/64\n",
		}, []api.Progress{{Fraction: 1, Text: "frame -3: Sample 64/64", RemainingSeconds: 61.5}, {Fraction: -1, Text: "frame -2: Sample 16/64"}}},
		{"EEVEE", []string{"Fra:7 Mem:11.06M (Peak 12.18M) | Time:00:01.72 | Rendering 2 / 8 samples\n"}, []api.Progress{{Fraction: 0.25, Text: "frame 7: Rendering 2 / 8 samples"}}},
		{"tiles", []string{
			"Fra:1" + cycles + "Rendered 3/4 Tiles, Sample 32/64\n",
			"Fra:1" + cycles + "Rendered 4/4 Tiles\n",
		}, []api.Progress{{Fraction: 0.875, Text: "frame 1: Rendered 3/4 Tiles, Sample 32/64", RemainingSeconds: 61.5}, {Fraction: 1, Text: "frame 1: Rendered 4/4 Tiles", RemainingSeconds: 61.5}}},
		{"Workbench", []string{"Saved: 'C:\\out\\x_0001.png'\n"}, []api.Progress{{Fraction: -1, Text: "saved x_0001.png"}}},
		{"5.x, whose animations have a length", []string{
			"00:00.100  render           | Rendering animation (frames 1..4)\n",
			"00:00.110  render           | Rendering frame 1\n",
			"00:01.643  render           | Fra: 1 | Remaining: 00:09.21 | Mem: 2M | Sample 8/16\n",
			"00:02.643  render           | Saved: '/tmp/x_0001.png'\n",
			"00:03.643  render           | Fra: 4 | Rendering 8 / 16 samples\n",
			"00:03.643  render           | Fra: 4 | Remaining: 00:02.5 | Mem: 2M | Sample 16/16\n",
		}, []api.Progress{
			{Fraction: 0, Text: "frame 1"},
			{Fraction: 0.125, Text: "frame 1: Sample 8/16"},
			{Fraction: 0.125, Text: "saved x_0001.png"},
			{Fraction: 0.875, Text: "frame 4: Rendering 8 / 16 samples"},
			{Fraction: 1, Text: "frame 4: Sample 16/16", RemainingSeconds: 2.5},
		}},
		{"a line as long as a book", []string{strings.Repeat("Fra:", 1000), strings.Repeat("x", 100_000), "\nFra:2 | Sample 1/2\n"}, []api.Progress{{Fraction: 0.5, Text: "frame 2: Sample 1/2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if told := progressOf(c.lines...); !slices.Equal(told, c.want) {
				t.Errorf("told  %+v\nwant %+v", told, c.want)
			}
			// However the pipe cuts it, the end is the same.
			if told := progressOf(strings.Split(strings.Join(c.lines, ""), "")...); len(c.want) > 0 &&
				(len(told) == 0 || told[len(told)-1] != c.want[len(c.want)-1]) {
				t.Errorf("a byte at a time, told %+v", told)
			}
		})
	}
}

func TestProgressIsToldAtMostTwentyTimesASecond(t *testing.T) {
	t.Parallel()
	told := 0
	var last api.Progress
	r := renderProgress{tell: func(p api.Progress) { told++; last = p }}
	began := time.Now()
	for range 10_000 {
		r.write([]byte("Fra:1 Mem:1M | Sample 64/64\n"))
	}
	r.say(api.Progress{Fraction: 0.5, Text: "the script's own"})
	r.flush()
	if most := int(time.Since(began)/progressPace) + 3; told > most {
		t.Errorf("told %d times, want at most %d", told, most)
	}
	if last.Text != "the script's own" {
		t.Errorf("the last one told is %+v", last)
	}
}

func TestTheFramesOfARenderAreCountedWithTheirSamples(t *testing.T) {
	t.Parallel()
	var told []api.Progress
	r := renderProgress{tell: func(p api.Progress) { told = append(told, p) }}
	at := time.Now()
	tell := func(frame, done int, rendering bool, picture string) api.Progress {
		at = at.Add(time.Second)
		r.toldAt = time.Time{}
		r.told(report{Progress: api.Progress{Frame: frame, FramesDone: done, Frames: 10, Picture: picture}, rendering: rendering}, at)
		return told[len(told)-1]
	}
	expect := func(got, want api.Progress) {
		t.Helper()
		if got != want {
			t.Errorf("told %+v, not %+v", got, want)
		}
	}
	// Frame 1 was there before: it says nothing of the time.
	expect(tell(1, 1, false, "/a/p1.png"), api.Progress{Fraction: 0.1, Text: "1 of 10 frames: saved p1.png", Frame: 1, FramesDone: 1, Frames: 10, Picture: "/a/p1.png"})
	expect(tell(2, 1, true, ""), api.Progress{Fraction: 0.1, Text: "frame 2 (2 of 10)", Frame: 2, FramesDone: 1, Frames: 10, Picture: "/a/p1.png"})
	r.toldAt = time.Time{}
	r.write([]byte("Fra:2 Mem:1M | Time:00:00.1 | Remaining:01:01.50 | Scene | Sample 8/16\nFra:3 Mem:1M | Scene | Sample 16/16\nSaved: '/a/p2.png'\n"))
	r.flush()
	got := told[len(told)-1]
	if got.Fraction != 0.15 || got.Text != "frame 2 (2 of 10): Sample 8/16" {
		t.Errorf("in the middle of a frame: %+v", got)
	}
	expect(tell(2, 2, false, "/a/p2.png"), api.Progress{Fraction: 0.2, Text: "2 of 10 frames: saved p2.png", Frame: 2, FramesDone: 2, Frames: 10, Picture: "/a/p2.png", RemainingSeconds: 8})
	// Where Blender prints nothing, its add-on tells of the samples.
	tell(3, 2, true, "")
	r.toldAt = time.Time{}
	r.told(report{Progress: api.Progress{Fraction: 0.5, Text: "Sample 8/16"}}, at)
	if got := told[len(told)-1]; got.Fraction != 0.25 || got.Text != "frame 3 (3 of 10): Sample 8/16" {
		t.Errorf("of a sample: %+v", got)
	}
	tell(3, 3, false, "/a/p3.png")
	n := len(told)
	r.toldAt = time.Time{}
	r.write([]byte("Fra:2 Mem:1M | Scene | Sample 16/16\n")) // the pipe is later than the session
	if r.flush(); len(told) != n {
		t.Errorf("a frame that is there is told as one that is rendered: %+v", told[n:])
	}
	for frame := 4; frame <= 10; frame++ {
		tell(frame, frame-1, true, "")
		got = tell(frame, frame, false, "/a/p.png")
	}
	expect(got, api.Progress{Fraction: 1, Text: "10 of 10 frames: saved p.png", Frame: 10, FramesDone: 10, Frames: 10, Picture: "/a/p.png"})
}
