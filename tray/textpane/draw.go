//go:build !headless

package textpane

import (
	"image"
	"image/color"
	"strconv"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"blendtray/tray/textpane/ansi"
	"blendtray/tray/textpane/cells"
	"blendtray/tray/textpane/raster"
)

// shared are the fonts of all panes, for the font that the theme has for text of one width.
var shared struct {
	sync.Mutex
	of    fyne.Resource
	fonts *raster.Fonts
	panes map[*Pane]struct{} // drawn again when fonts become known
}

// fonts returns the fonts for a pane.
func fontsFor(p *Pane) *raster.Fonts {
	text := p.Theme().Font(fyne.TextStyle{Monospace: true})
	shared.Lock()
	defer shared.Unlock()
	if shared.panes == nil {
		shared.panes = map[*Pane]struct{}{}
	}
	shared.panes[p] = struct{}{}
	if shared.fonts != nil && shared.of == text {
		return shared.fonts
	}
	var emoji []byte
	if res := theme.DefaultEmojiFont(); res != nil {
		emoji = res.Content()
	}
	others := [][]byte{theme.DefaultTextMonospaceFont().Content(), theme.DefaultTextFont().Content(), theme.DefaultSymbolFont().Content()}
	fonts, err := raster.NewFonts(text.Content(), emoji, others, fontsFound)
	if err != nil { // a theme's font can't be read: the toolkit's can
		fyne.LogError("the font for text of one width", err)
		fonts, _ = raster.NewFonts(theme.DefaultTextMonospaceFont().Content(), nil, nil, fontsFound)
	}
	shared.of, shared.fonts = text, fonts
	return fonts
}

// fontsFound draws all panes again.
func fontsFound() {
	shared.Lock()
	defer shared.Unlock()
	for p := range shared.panes {
		p.changed()
	}
}

// barWidth is the width of the scroll bars.
const barWidth = 10

// metrics are the sizes of what is drawn, in pixels.
type metrics struct {
	scale         float32 // pixels for a unit of the toolkit
	cellW, cellH  int
	pad           int
	gutter        int // for numbers of lines
	bar           int
	width, height int
}

// measure returns the sizes for an image, and tells the view how much is in sight.
func (p *Pane) measure(w, h int) metrics {
	if p.painter == nil {
		p.painter = raster.NewPainter(fontsFor(p))
	}
	m := metrics{scale: 1, width: w, height: h}
	if size := p.BaseWidget.Size().Width; size > 0 {
		m.scale = float32(w) / size
	}
	p.painter.Resize(p.Theme().Size(theme.SizeNameText) * m.scale)
	m.cellW, m.cellH = p.painter.Cell()
	m.pad, m.bar = int(4*m.scale), int(barWidth*m.scale)
	switch {
	case p.opts.Labels != nil:
		m.gutter = (p.opts.LabelWidth() + 2) * m.cellW
	case p.opts.Numbers:
		_, end := p.buffer.Bounds()
		m.gutter = (len(strconv.Itoa(end)) + 2) * m.cellW
	}
	p.view.columns = max(1, (w-2*m.pad-m.gutter-m.bar)/m.cellW)
	p.view.rows = max(1, (h-2*m.pad)/m.cellH)
	return m
}

// draw returns the picture of the pane in so many pixels.
func (p *Pane) draw(w, h int) image.Image {
	began := time.Now()
	if p.image == nil || p.image.Rect.Dx() != w || p.image.Rect.Dy() != h {
		p.image = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	p.palette = p.colours()
	raster.Fill(p.image, p.image.Rect, p.palette.back)
	m := p.measure(w, h)
	p.view.look()
	p.pointer.metrics = m
	for i, r := range p.view.inSight {
		p.drawRow(m, r, m.pad+i*m.cellH)
	}
	p.drawBars(m)
	p.mu.Lock()
	p.took = time.Since(began)
	p.mu.Unlock()
	return p.image
}

// colours returns the colours of the theme. They are made anew only when the theme has changed.
func (p *Pane) colours() palette {
	th, variant := p.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	made := paletteOf(th, variant)
	if old := p.palette; old.readable != nil && old.back == made.back {
		made.readable = old.readable
	}
	return made
}

// drawRow draws a row whose top is at y.
func (p *Pane) drawRow(m metrics, r row, y int) {
	l := r.shown
	left := m.pad + m.gutter
	ground := p.ground(r.line)
	if ground != p.palette.back {
		raster.Fill(p.image, image.Rect(0, y, m.width-m.bar, y+m.cellH), ground)
	}
	from, to, end := p.sel.InLine(r.line, len(l.text))
	matches := p.finder.inLine(r.line)
	text := p.image.SubImage(image.Rect(left, 0, m.width-m.bar, m.height)).(*image.RGBA)
	style, span := 0, 0
	shown := l.cells[r.from:r.to]
	p.painter.Row(text, left-p.view.left*m.cellW, y, l.text, shown, r.first, func(i int) raster.Look {
		c := shown[i]
		for style < len(l.styles) && l.styles[style].End <= c.Start {
			style++
		}
		for span < len(l.spans) && l.spans[span].End <= c.Start {
			span++
		}
		var st ansi.Style
		if style < len(l.styles) && l.styles[style].Start <= c.Start {
			st = l.styles[style].Style
		}
		look := p.look(st)
		if span < len(l.spans) && l.spans[span].Start <= c.Start {
			s := l.spans[span]
			look.Fg = opaque(s.Color, ground)
			look.Bold, look.Italic = look.Bold || s.Bold, look.Italic || s.Italic
		}
		back := ground
		for _, f := range matches {
			if f.Start <= c.Start && c.Start < f.End {
				look.Bg = p.palette.found
				if f.here {
					look.Bg, look.Fg = p.palette.here, p.palette.hereText
				}
			}
		}
		if from <= c.Start && c.Start < to {
			look.Bg = p.palette.select_
		}
		if look.Bg.A != 0 {
			back = look.Bg
		}
		if st.Attr&ansi.Hidden != 0 {
			look.Fg = back
		} else {
			look.Fg = p.palette.on(back, look.Fg)
		}
		return look
	})
	if end && r.to == len(l.cells) { // the end of the line is selected
		x := left + (l.columns-r.first-p.view.left)*m.cellW
		raster.Fill(text, image.Rect(x, y, x+m.cellW/2, y+m.cellH), p.palette.select_)
	}
	if label := p.label(r.line); label != "" && r.row == 0 {
		all, columns := cells.Layout(label)
		look := raster.Look{Fg: p.palette.on(ground, p.palette.faint)}
		p.painter.Row(p.image, left-(columns+1)*m.cellW, y, label, all, 0, func(int) raster.Look { return look })
	}
}

// label returns what stands beside a line, or "".
func (p *Pane) label(line int) string {
	switch {
	case p.opts.Labels != nil:
		return p.opts.Labels(line)
	case p.opts.Numbers:
		return strconv.Itoa(line + 1)
	}
	return ""
}

// ground returns the background of a line.
func (p *Pane) ground(line int) color.RGBA {
	if line == p.marked {
		return p.palette.mark
	}
	if p.opts.Back != nil {
		if c := p.opts.Back(line); c != nil {
			return opaque(c, p.palette.back)
		}
	}
	return p.palette.back
}

// look returns how text in a style looks.
func (p *Pane) look(st ansi.Style) raster.Look {
	look := raster.Look{
		Fg: p.palette.fore, Bold: st.Attr&ansi.Bold != 0, Italic: st.Attr&ansi.Italic != 0,
		Underline: st.Attr&ansi.Underline != 0, Strike: st.Attr&ansi.Strike != 0,
	}
	if c, ok := p.palette.color(st.Fg); ok {
		look.Fg = c
	}
	if c, ok := p.palette.color(st.Bg); ok {
		look.Bg = c
	}
	if st.Attr&ansi.Inverse != 0 {
		back := look.Bg
		if back.A == 0 {
			back = p.palette.back
		}
		look.Fg, look.Bg = back, look.Fg
	}
	if st.Attr&ansi.Faint != 0 {
		back := look.Bg
		if back.A == 0 {
			back = p.palette.back
		}
		look.Fg = mix(look.Fg, back, 0.4)
	}
	return look
}

// thumb returns where the vertical bar's thumb is; it is empty when everything is in sight.
func (p *Pane) thumb(m metrics) image.Rectangle {
	first, end := p.view.Bounds()
	lines := end - first
	last := p.view.bottom()
	if lines == 0 || last == (place{line: first}) {
		return image.Rectangle{}
	}
	size := max(int(24*m.scale), m.height*p.view.rows/max(1, lines+p.view.rows))
	size = min(size, m.height)
	at := 0
	if span := last.line - first; span > 0 {
		at = (m.height - size) * min(p.view.top.line-first, span) / span
	}
	if p.view.top == last {
		at = m.height - size
	}
	return image.Rect(m.width-m.bar, at, m.width, at+size)
}

func (p *Pane) drawBars(m metrics) {
	inset := int(2 * m.scale)
	if r := p.thumb(m); !r.Empty() {
		raster.Fill(p.image, r.Inset(inset), p.palette.bar)
	}
	if all := p.view.widest + 1; !p.view.wrap && all > p.view.columns {
		wide := m.width - m.bar
		size := max(int(24*m.scale), wide*p.view.columns/all)
		at := (wide - size) * p.view.left / max(1, all-p.view.columns)
		thick := m.bar / 2
		raster.Fill(p.image, image.Rect(at, m.height-thick, at+size, m.height).Inset(1), p.palette.bar)
	}
}
