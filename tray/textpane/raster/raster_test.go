package raster

import (
	"bytes"
	"image"
	"image/color"
	"testing"

	"golang.org/x/image/font/gofont/gomono"

	"blendtray/tray/textpane/cells"
)

var black, white = color.RGBA{A: 0xff}, color.RGBA{0xff, 0xff, 0xff, 0xff}

// picture draws a text in a row, on white.
func picture(t *testing.T, p *Painter, text string, look Look) *image.RGBA {
	t.Helper()
	all, columns := cells.Layout(text)
	w, h := p.Cell()
	img := image.NewRGBA(image.Rect(0, 0, (columns+2)*w, h))
	fill(img, img.Rect, white)
	p.Row(img, w, 0, text, all, 0, func(int) Look { return look })
	return img
}

// ink returns how dark the columns of a picture are, without the free column on both sides.
func ink(img *image.RGBA, width int) (all []int) {
	for x := width; x+width < img.Rect.Dx(); x += width {
		sum := 0
		for y := range img.Rect.Dy() {
			for i := range width {
				sum += 0xff - int(img.RGBAAt(x+i, y).G)
			}
		}
		all = append(all, sum)
	}
	return all
}

func newPainter(t *testing.T, size float32) *Painter {
	t.Helper()
	fonts, err := NewFonts(gomono.TTF, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPainter(fonts)
	p.Resize(size)
	return p
}

func TestEachSignIsDrawnInItsCell(t *testing.T) {
	t.Parallel()
	p := newPainter(t, 14)
	w, h := p.Cell()
	if w < 7 || w > 10 || h < 14 || h > 20 {
		t.Fatalf("a cell has %d×%d pixels", w, h)
	}
	for _, c := range []struct {
		text string
		ink  []bool
	}{
		{"M M", []bool{true, false, true}},
		{"e\u0301x", []bool{true, true}},
		{"\tx", []bool{false, false, false, false, false, false, false, false, true}},
		{"中x", []bool{true, true, true}}, // no font has it: that is shown in the middle of two cells
	} {
		got := ink(picture(t, p, c.text, Look{Fg: black}), w)
		for i, want := range c.ink {
			if len(got) != len(c.ink) || (got[i] > 500) != want { // a letter reaches a little over its cell
				t.Errorf("%q has the ink %v, want %v", c.text, got, c.ink)
				break
			}
		}
	}
	again := picture(t, p, "M", Look{Fg: black})
	if !bytes.Equal(again.Pix, picture(t, p, "M", Look{Fg: black}).Pix) {
		t.Error("a sign looks another way the second time")
	}
}

func TestALookIsSeen(t *testing.T) {
	t.Parallel()
	p := newPainter(t, 16)
	w, _ := p.Cell()
	sum := func(look Look) int { return ink(picture(t, p, "l", look), w)[0] }
	plain := sum(Look{Fg: black})
	for name, look := range map[string]Look{
		"bold":      {Fg: black, Bold: true},
		"underline": {Fg: black, Underline: true},
		"strike":    {Fg: black, Strike: true},
		"behind":    {Fg: black, Bg: color.RGBA{0xff, 0, 0, 0xff}},
	} {
		if sum(look) <= plain {
			t.Errorf("%s is not darker", name)
		}
	}
	upright, leaning := picture(t, p, "l", Look{Fg: black}), picture(t, p, "l", Look{Fg: black, Italic: true})
	if bytes.Equal(upright.Pix, leaning.Pix) {
		t.Error("italic is upright")
	}
	if red := picture(t, p, "M", Look{Fg: color.RGBA{0xff, 0, 0, 0xff}}); ink(red, w)[0] == 0 {
		t.Error("a colour is not seen")
	}
}

func TestALargerTextHasLargerCells(t *testing.T) {
	t.Parallel()
	p := newPainter(t, 14)
	w, h := p.Cell()
	p.Resize(28)
	if w2, h2 := p.Cell(); w2 < 2*w-1 || w2 > 2*w+1 || h2 < 2*h-2 || h2 > 2*h+2 {
		t.Errorf("twice %d×%d is %d×%d", w, h, w2, h2)
	}
	if got := ink(picture(t, p, "M", Look{Fg: black}), p.width); got[0] == 0 {
		t.Error("nothing is drawn")
	}
}

func TestARowIsCutAtTheEdgesOfThePicture(t *testing.T) {
	t.Parallel()
	p := newPainter(t, 14)
	all, _ := cells.Layout("MMMMM")
	img := image.NewRGBA(image.Rect(0, 0, 10, 10))
	for _, at := range []image.Point{{-20, -5}, {5, 5}, {100, 100}} {
		p.Row(img, at.X, at.Y, "MMMMM", all, 2, func(int) Look { return Look{Fg: black, Bg: white, Underline: true, Strike: true} })
	}
}

func BenchmarkRow(b *testing.B) {
	fonts, err := NewFonts(gomono.TTF, nil, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := NewPainter(fonts)
	p.Resize(14)
	text := "12:00:01 a line of a program's output, as long as lines are, with some words in it"
	all, columns := cells.Layout(text)
	w, h := p.Cell()
	img := image.NewRGBA(image.Rect(0, 0, columns*w, h))
	for b.Loop() {
		p.Row(img, 0, 0, text, all, 0, func(int) Look { return Look{Fg: black} })
	}
}
