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
		r.told = time.Time{} // as if some time had passed
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
