package raster

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-text/render"
	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"

	"blendtray/tray/textpane/cells"
)

// Fonts find a face for each sign.
type Fonts struct {
	own   []*font.Face // the font for text, and those beside it
	emoji *font.Face   // or nil

	mu     sync.Mutex
	scan   bool              // the fonts of the system are being read, or were
	system *fontscan.FontMap // or nil
	reads  int               // how often fonts came to be known
	found  func()            // called when the fonts of the system are known

	shaper shaping.HarfbuzzShaper
}

// NewFonts returns fonts that take a sign from the font text, else from the font emoji, which may
// be nil, else from other fonts, else from those of the system. found is called on any goroutine
// when the fonts of the system are known, so that the text can be drawn again; nil means that
// only the given fonts are used. NewFonts fails when a font can't be read.
func NewFonts(text, emoji []byte, others [][]byte, found func()) (*Fonts, error) {
	f := &Fonts{found: found, scan: found == nil}
	read := func(data []byte) (*font.Face, error) {
		face, err := font.ParseTTF(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read a font: %w", err)
		}
		f.own = append(f.own, face)
		return face, nil
	}
	if _, err := read(text); err != nil {
		return nil, err
	}
	if emoji != nil {
		face, err := read(emoji)
		if err != nil {
			return nil, err
		}
		f.emoji = face
	}
	for _, data := range others {
		if _, err := read(data); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Fonts) generation() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// metrics returns how far text reaches above and below its line, and how wide a cell is.
func (f *Fonts) metrics(size float32) (ascent, descent, advance float32) {
	out := f.shape([]rune{'0'}, 0, 1, f.own[0], size)
	return toFloat(out.LineBounds.Ascent), -toFloat(out.LineBounds.Descent), toFloat(out.Advance)
}

func (f *Fonts) shape(text []rune, from, to int, face *font.Face, size float32) shaping.Output {
	in := shaping.Input{
		Text: text, RunStart: from, RunEnd: to, Face: face, Size: fixed.Int26_6(size * 64),
		Direction: di.DirectionLTR, Script: language.LookupScript(text[from]), Language: language.DefaultLanguage(),
	}
	if cells.RTL(text[from]) {
		in.Direction = di.DirectionRTL
	}
	return f.shaper.Shape(in)
}

// missing is shown for a sign that no font has.
const missing = '\ufffd'

// draw draws a sign in the middle of a width of pixels that begins at x, and reports whether it
// has colours of its own.
func (f *Fonts) draw(dst *image.RGBA, k key, size float32, x, base, width int) (coloured bool) {
	face := f.face(k.text)
	before := []rune(k.before)
	sign := []rune(k.text)
	text := append(append(before, sign...), []rune(k.after)...)
	from, to := len(before), len(before)+len(sign)
	if face == nil {
		face, text, from, to = f.own[0], []rune{missing}, 0, 1
	}
	out := f.shape(text, from, to, face, size)
	if len(out.Glyphs) == 0 {
		return false
	}
	if wide := toFloat(out.Advance); face != f.own[0] && wide > float32(width) {
		size *= float32(width) / wide
		out = f.shape(text, from, to, face, size)
	}
	if face != f.own[0] || k.cells > 1 {
		x += (width - int(toFloat(out.Advance)+0.5)) / 2
	}
	for _, g := range out.Glyphs {
		switch face.GlyphData(g.GlyphID).(type) {
		case font.GlyphBitmap, font.GlyphSVG:
			coloured = true
		}
	}
	r := render.Renderer{FontSize: size, PixScale: 1, Color: color.White}
	r.DrawShapedRunAt(out, dst, x, base)
	return coloured
}

// face returns the face for a sign, or nil when no font has it, or none is known yet.
func (f *Fonts) face(sign string) *font.Face {
	first, _ := utf8.DecodeRuneInString(sign)
	if f.emoji != nil && (strings.ContainsRune(sign, '\ufe0f') || first >= 0x1f000) && has(f.emoji, first) {
		return f.emoji
	}
	var some *font.Face
	for _, face := range f.own {
		if !has(face, first) {
			continue
		}
		if some == nil {
			some = face
		}
		if hasAll(face, sign) {
			return face
		}
	}
	if some != nil {
		return some
	}
	return f.ofSystem(first)
}

func has(face *font.Face, r rune) bool {
	_, ok := face.NominalGlyph(r)
	return ok
}

func hasAll(face *font.Face, sign string) bool {
	for _, r := range sign {
		if !has(face, r) {
			return false
		}
	}
	return true
}

// ofSystem returns the system's face for a sign. While the fonts of the system are being read, it
// returns nil.
func (f *Fonts) ofSystem(r rune) *font.Face {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.scan {
		f.scan = true
		go f.read()
	}
	if f.system == nil {
		return nil
	}
	f.system.SetQuery(fontscan.Query{Families: []string{fontscan.Monospace}})
	f.system.SetScript(language.LookupScript(r))
	face := f.system.ResolveFace(r)
	if face == nil || !has(face, r) {
		return nil
	}
	return face
}

// read reads which fonts the system has, which takes up to a second.
func (f *Fonts) read() {
	fonts := fontscan.NewFontMap(silent{})
	if fonts.UseSystemFonts("") != nil {
		return // signs without a font are shown as such
	}
	f.mu.Lock()
	f.system = fonts
	f.reads++
	f.mu.Unlock()
	f.found()
}

// silent drops what the reader of the fonts has to say about broken fonts.
type silent struct{}

func (silent) Printf(string, ...any) {}
