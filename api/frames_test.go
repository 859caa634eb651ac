package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestFramesAreReadAsBlenderReadsThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "[]",
		"12":               "[{12 12 1}]",
		"0":                "[{0 0 1}]",
		"1-250":            "[{1 250 1}]",
		"1..250":           "[{1 250 1}]",
		" 1 - 250 , 300 ":  "[{1 250 1} {300 300 1}]",
		"1-100x5":          "[{1 100 5}]",
		"+3":               "[{+3 +3 1}]",
		"-1":               "[{-1 -1 1}]",
		"+0..-1":           "[{+0 -1 1}]",
		"5..-2,-1":         "[{5 -2 1} {-1 -1 1}]",
		"-10..-1x3":        "[{-10 -1 3}]",
		"3,1,2,1048574":    "[{3 3 1} {1 1 1} {2 2 1} {1048574 1048574 1}]",
		"7-7":              "[{7 7 1}]",
		"00012":            "[{12 12 1}]",
		"-1..5":            "[{-1 5 1}]",
		"1-2,3-4,5..6x100": "[{1 2 1} {3 4 1} {5 6 100}]",
	} {
		f, err := FramesOf(text)
		if got := fmt.Sprint(f.Rows()); err != nil || got != want {
			t.Errorf("%q: %s, not %s; %v", text, got, want, err)
		}
	}
	for text, why := range map[string]string{
		"250-1":      "250-1 goes from a later to an earlier frame",
		"a":          `"a" are no frames`,
		"1,,2":       `"" are no frames`,
		"1-2-3":      `"1-2-3" are no frames`,
		"1--1":       `"1--1" are no frames`,
		"-3-5":       `"-3-5" are no frames`,
		"1.5":        `"1.5" are no frames`,
		"1-9x0":      "the step is 1 or more",
		"4x2":        "a step needs a range",
		"1048575":    "Blender's last frame is 1048574",
		"9999999999": "are no frames",
		"1-250;300":  "are no frames",
	} {
		if f, err := FramesOf(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, %v", text, f, err)
		}
	}
	if _, err := FramesOf(strings.Repeat("1,", maxFrameRows) + "1"); err == nil {
		t.Error("any number of ranges is taken")
	}
	var one Frame
	if err := one.UnmarshalText([]byte("1-2")); err == nil {
		t.Error("two frames are one frame")
	}
	if err := one.UnmarshalText([]byte("-2")); err != nil || one.Or(Frames{}).String() != "-2" {
		t.Errorf("%v, %v", one, err)
	}
}

func TestARenderIsToldInWordsAndAsJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "all frames", "12": "frame 12", "-1": "frame -1", "1-9": "frames 1-9", "1,2": "frames 1,2"} {
		f, err := FramesOf(text)
		if got := (Render{Frames: f}).String(); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		b, err := json.Marshal(Render{Frames: f})
		var back Render
		if err != nil || json.Unmarshal(b, &back) != nil || back.Frames != f {
			t.Errorf("%s, %v", b, err)
		}
	}
	var r Render
	if err := json.Unmarshal([]byte(`{"frames": "9-1"}`), &r); err == nil {
		t.Error("frames that go back are taken from JSON")
	}
}
