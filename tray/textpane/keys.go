//go:build !headless

package textpane

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"blendtray/tray/textpane/selection"
)

// FocusGained and FocusLost note whether keys come here; see [fyne.Focusable].
func (p *Pane) FocusGained() { p.focused = true }

// FocusLost also forgets that Shift is held: its release goes elsewhere.
func (p *Pane) FocusLost() { p.focused, p.shift = false, false }

// TypedRune does nothing: the text can't be changed.
func (p *Pane) TypedRune(rune) {}

// KeyDown notes that Shift is held; see [desktop.Keyable].
func (p *Pane) KeyDown(key *fyne.KeyEvent) { p.held(key, true) }

// KeyUp notes that Shift is not held.
func (p *Pane) KeyUp(key *fyne.KeyEvent) { p.held(key, false) }

func (p *Pane) held(key *fyne.KeyEvent, down bool) {
	if key.Name == desktop.KeyShiftLeft || key.Name == desktop.KeyShiftRight {
		p.shift = down
	}
}

// TypedKey scrolls, or with Shift leads the selection; see [fyne.Focusable].
func (p *Pane) TypedKey(key *fyne.KeyEvent) {
	if p.shift {
		if to, ok := p.led(key.Name); ok {
			p.leadTo(to)
		}
		return
	}
	v := &p.view
	page := max(1, v.rows-1)
	switch key.Name {
	case fyne.KeyUp:
		v.scroll(-1)
	case fyne.KeyDown:
		v.scroll(1)
	case fyne.KeyLeft:
		v.left = max(0, v.left-4)
	case fyne.KeyRight:
		v.left += 4
	case fyne.KeyPageUp:
		v.scroll(-page)
	case fyne.KeyPageDown, fyne.KeySpace:
		v.scroll(page)
	case fyne.KeyHome:
		v.left = 0
		v.goTo(v.move(place{line: 0}, 0))
	case fyne.KeyEnd:
		v.follow = true
	case fyne.KeyEscape:
		p.sel.Clear()
	default:
		return
	}
	p.Refresh()
}

// led returns the place to which a key leads the selection.
func (p *Pane) led(key fyne.KeyName) (to selection.Pos, ok bool) {
	v, at := &p.view, p.sel.Head()
	first, end := v.Bounds()
	if at.Line < first || at.Line >= end {
		at = selection.Pos{Line: v.top.line}
	}
	page := max(1, v.rows-1)
	switch key {
	case fyne.KeyLeft:
		return selection.Left(v, at), true
	case fyne.KeyRight:
		return selection.Right(v, at), true
	case fyne.KeyUp:
		return p.vertical(at, -1), true
	case fyne.KeyDown:
		return p.vertical(at, 1), true
	case fyne.KeyPageUp:
		return p.vertical(at, -page), true
	case fyne.KeyPageDown:
		return p.vertical(at, page), true
	case fyne.KeyHome:
		return selection.Pos{Line: at.Line}, true
	case fyne.KeyEnd:
		return selection.Pos{Line: at.Line, Byte: len(v.Line(at.Line))}, true
	}
	return at, false
}

// vertical returns the place so many lines below another, in about the same column.
func (p *Pane) vertical(at selection.Pos, by int) selection.Pos {
	v := &p.view
	first, end := v.Bounds()
	l := v.get(at.Line)
	column := l.columns
	if i := l.cellAt(at.Byte); i < len(l.cells) {
		column = l.cells[i].Column
	}
	to := at.Line + by
	if to < first {
		return selection.Pos{Line: first}
	}
	if to >= end {
		return selection.Pos{Line: end - 1, Byte: len(v.Line(end - 1))}
	}
	l = v.get(to)
	for _, c := range l.cells {
		if c.Column+c.Width > column {
			return selection.Pos{Line: to, Byte: c.Start}
		}
	}
	return selection.Pos{Line: to, Byte: len(l.text)}
}

// leadTo leads the selection to a place, and brings it into sight.
func (p *Pane) leadTo(to selection.Pos) {
	p.sel.Lead(&p.view, to)
	p.view.reveal(to.Line, to.Byte)
	p.Refresh()
}

// TypedShortcut copies, selects everything, or leads the selection by words or to an end of the
// text; see [fyne.Shortcutable].
func (p *Pane) TypedShortcut(s fyne.Shortcut) {
	if p.opts.Shortcut != nil && p.opts.Shortcut(s) {
		p.shift = false // what the shortcut has opened may hear the release of Shift in place of the pane
		return
	}
	switch s := s.(type) {
	case *fyne.ShortcutCopy:
		p.Copy()
	case *fyne.ShortcutSelectAll:
		p.SelectAll()
	case *desktop.CustomShortcut:
		p.typedWith(s)
	}
}

// typedWith does what a key does together with Ctrl, or Command, and Shift.
func (p *Pane) typedWith(s *desktop.CustomShortcut) {
	v := &p.view
	first, end := v.Bounds()
	if s.Modifier&fyne.KeyModifierShift == 0 {
		switch s.KeyName {
		case fyne.KeyHome, fyne.KeyEnd:
			p.TypedKey(&fyne.KeyEvent{Name: s.KeyName})
		}
		return
	}
	if end == first {
		return
	}
	switch s.KeyName {
	case fyne.KeyLeft:
		p.leadTo(selection.WordLeft(v, p.sel.Head()))
	case fyne.KeyRight:
		p.leadTo(selection.WordRight(v, p.sel.Head()))
	case fyne.KeyHome:
		p.leadTo(selection.Pos{Line: first})
	case fyne.KeyEnd:
		p.leadTo(selection.Pos{Line: end - 1, Byte: len(v.Line(end - 1))})
	}
}
