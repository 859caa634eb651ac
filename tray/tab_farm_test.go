//go:build !headless

package tray

import (
	"image/color"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

func farmOfTest() api.Farm {
	return api.Farm{
		Member: "desk",
		Machines: []api.FarmMachine{
			{Name: "desk", State: "busy", Blenders: []string{"default", "3.4.1"}, Cores: 8, Memory: 16e9, Free: 4e9, Slots: 1, Jobs: []string{"j2"}},
			{Name: "hall", State: "gone"},
		},
		Groups: []api.FarmGroup{{
			ID: "g", Name: "/srv/shot.blend", Kind: "render", By: "desk", At: time.Now(), Parts: 4,
			Jobs: []api.FarmJob{
				{ID: "j1", Part: 1, Frames: "1-5", State: "succeeded", Machine: "hall"},
				{ID: "j2", Part: 2, Frames: "6-10", State: "running", Machine: "desk"},
				{ID: "j3", Part: 3, Frames: "11-15", State: "failed", Reason: "NameError: nope"},
				{ID: "j4", Part: 4, Frames: "16-20", State: "waiting"},
			},
		}},
	}
}

// textsOf returns the texts of all labels below an object.
func textsOf(o fyne.CanvasObject) (all []string) {
	switch o := o.(type) {
	case *widget.Label:
		all = append(all, o.Text)
	case *fyne.Container:
		for _, inner := range o.Objects {
			all = append(all, textsOf(inner)...)
		}
	}
	return all
}

func TestTheTabFarmIsThereForMembersAlone(t *testing.T) {
	o := openWindow(t)
	if o.farm.there() {
		t.Fatal("it is there without a farm")
	}
	o.farm.take(farmOfTest())
	if !o.farm.there() {
		t.Fatal("it is not there for a member")
	}
	text := strings.Join(append(textsOf(o.farm.machines), textsOf(o.farm.groups)...), "\n")
	for _, want := range []string{"busy · shot.blend 6-10 · Blender default 3.4.1 · 8 cores", "no sign of life", "1 of 4 done · 1 running · 1 failed · by desk", "NameError: nope"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q but\n%s", want, text)
		}
	}
	o.tabs.Select(o.farm.item)
	o.farm.take(api.Farm{})
	if o.farm.there() || o.tabs.SelectedIndex() != 0 {
		t.Error("it is still there after the machine has left the farm")
	}
	o.farm.take(api.Farm{Member: "desk", Reason: "no server answers"})
	if !o.farm.there() || o.farm.above.Text != "The farm does not answer: no server answers" {
		t.Errorf("it says %q", o.farm.above.Text)
	}
}

func TestAStripShowsTheStateOfEachJob(t *testing.T) {
	_ = openWindow(t) // colours come from the theme of an app
	g := farmOfTest().Groups[0]
	same := func(a, b color.Color) bool {
		ar, ag, ab, aa := a.RGBA()
		br, bg, bb, ba := b.RGBA()
		return ar>>8 == br>>8 && ag>>8 == bg>>8 && ab>>8 == bb>>8 && aa>>8 == ba>>8
	}
	picture := drawStrip(g, 40, 4)
	for i, name := range []fyne.ThemeColorName{theme.ColorNameSuccess, theme.ColorNamePrimary, theme.ColorNameError, theme.ColorNameDisabled} {
		if got := picture.At(10*i+4, 2); !same(got, theme.Color(name)) {
			t.Errorf("job %d has the colour %v, wanted %v", i+1, got, theme.Color(name))
		}
	}
	// Of more jobs than points, that which failed is seen.
	g.Parts = 1000
	g.Jobs[2].Part = 777
	picture, seen := drawStrip(g, 50, 2), false
	for x := range 50 {
		seen = seen || same(picture.At(x, 1), theme.Color(theme.ColorNameError))
	}
	if !seen {
		t.Error("the job that failed is not seen")
	}
	_ = drawStrip(api.FarmGroup{}, 0, 0)
}

func TestOneJobHasNoStrip(t *testing.T) {
	o := openWindow(t)
	g := farmOfTest().Groups[0]
	strips := func(g api.FarmGroup) (n int) {
		for _, object := range test.LaidOutObjects(o.farm.groupRow(g)) {
			if _, ok := object.(*canvas.Raster); ok {
				n++
			}
		}
		return n
	}
	if n := strips(g); n != 1 {
		t.Errorf("four jobs have %d strips", n)
	}
	g.Parts, g.Jobs = 1, g.Jobs[:1]
	if n := strips(g); n != 0 {
		t.Errorf("one job has %d strips", n)
	}
}
