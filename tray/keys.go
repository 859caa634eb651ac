//go:build !headless

package tray

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// shortcut is what a key does together with the modifier for shortcuts: Ctrl, or Command on macOS.
type shortcut struct {
	key fyne.KeyName
	do  func()
}

// chord is what a key does together with modifiers in the tab Activity.
type chord struct {
	keys desktop.CustomShortcut
	do   func()
}

// chords returns the shortcuts of the tab Activity, which mean nothing in other tabs.
func (w *window) chords() []chord {
	const main = fyne.KeyModifierShortcutDefault
	return append([]chord{
		{desktop.CustomShortcut{KeyName: fyne.KeyF, Modifier: main | fyne.KeyModifierShift}, w.runs.showFilters},
		{desktop.CustomShortcut{KeyName: fyne.KeyG, Modifier: main}, func() {
			w.runs.setGrouped(!w.runs.grouped)
			w.goToContent(w.runs.content)
		}},
	}, w.runs.detail.shortcuts()...)
}

// runChord does what keys do in the tab Activity. It reports whether that tab is in sight.
func (w *window) runChord(c chord) bool {
	if w.tabs.Selected().Content != w.runs.content {
		return false
	}
	w.run(shortcut{do: c.do})
	return true
}

// shortcuts returns the shortcuts that work everywhere in the window.
func (w *window) shortcuts() []shortcut {
	s := w.shell
	all := []shortcut{
		{fyne.KeyF, func() {
			switch w.tabs.Selected().Content {
			case w.console.content:
				w.Canvas().Focus(w.console.output.find)
				return
			case w.log.content:
				w.Canvas().Focus(w.log.view.find)
				return
			case w.pictures.content:
				w.pictures.find()
				return
			case w.settings.content:
				w.Canvas().Focus(w.settings.search)
				return
			}
			w.focus(w.runs.detail.finding())
		}},
		{fyne.KeyK, func() { w.focus(w.runs.search) }},
		{fyne.KeyR, func() {
			switch w.tabs.Selected().Content {
			case w.runs.content:
				press(w.runs.detail.again)
			case w.console.content:
				press(w.console.run)
			}
		}},
		{fyne.KeyE, func() {
			if w.tabs.Selected().Content == w.runs.content {
				press(w.runs.detail.script)
			}
		}},
		{fyne.KeyL, func() {
			if w.tabs.Selected().Content == w.console.content {
				press(w.console.clear)
			}
		}},
		{fyne.KeyPeriod, func() { press(w.cancel) }},
		{fyne.KeyI, w.about},
		{fyne.KeyW, s.closeWindow},
		{fyne.KeyQ, s.quit},
	}
	for i, key := range []fyne.KeyName{fyne.Key1, fyne.Key2, fyne.Key3, fyne.Key4, fyne.Key5, fyne.Key6, fyne.Key7, fyne.Key8} {
		all = append(all, shortcut{key, func() { w.goTo(i) }})
	}
	all = append(all, shortcut{fyne.Key9, func() {
		if w.farm.there() {
			w.goToContent(w.farm.content)
		}
	}})
	return all
}

// typed runs a shortcut of the window, and returns false when the window has no such shortcut.
func (w *window) typed(s fyne.Shortcut) bool {
	typed, ok := s.(*desktop.CustomShortcut)
	if !ok {
		return false
	}
	for _, c := range w.chords() {
		if c.keys == *typed && w.runChord(c) {
			return true
		}
	}
	if typed.Modifier != fyne.KeyModifierShortcutDefault {
		return false
	}
	for _, c := range w.shortcuts() {
		if c.key == typed.KeyName {
			w.run(c)
			return true
		}
	}
	return false
}

// run does what a shortcut does, unless a dialog is open.
func (w *window) run(c shortcut) {
	if !w.covered() {
		c.do()
	}
}

// press clicks a button, if it can be clicked.
func press(b *widget.Button) {
	if b.Visible() && !b.Disabled() {
		b.OnTapped()
	}
}

// focus goes to a field in the tab Activity.
func (w *window) focus(at fyne.Focusable) {
	w.first.leave()
	w.selectTab(w.runs.content)
	w.Canvas().Focus(at)
}

// goToContent goes to the tab with a content as goTo does.
func (w *window) goToContent(content fyne.CanvasObject) {
	for i, item := range w.tabs.Items {
		if item.Content == content {
			w.goTo(i)
		}
	}
}

// goTo goes to a tab, and in it to the field to type in or the list to choose from.
func (w *window) goTo(tab int) {
	w.first.leave()
	if tab < 0 || tab >= len(w.tabs.Items) {
		return
	}
	w.tabs.SelectIndex(tab)
	switch w.tabs.Selected().Content {
	case w.runs.content:
		if w.runs.showsScripts() {
			w.Canvas().Focus(w.runs.scripts.list)
			return
		}
		w.Canvas().Focus(w.runs.list)
	case w.queue.content:
		w.Canvas().Focus(w.queue.list)
	case w.pictures.content:
		w.pictures.focus()
	case w.console.content:
		w.Canvas().Focus(w.console.code)
	case w.log.content:
		w.Canvas().Focus(w.log.filter)
	case w.settings.content:
		w.Canvas().Focus(w.settings.search)
	default:
		w.Canvas().Unfocus()
	}
}

// entry is an Entry that passes the window's shortcuts on to the window. Fyne sends a shortcut
// only to the widget that has the focus.
type entry struct {
	widget.Entry
	typed func(fyne.Shortcut) bool
}

func (e *entry) TypedShortcut(s fyne.Shortcut) {
	if !e.typed(s) {
		e.Entry.TypedShortcut(s)
	}
}

// runList is a List in which the arrow keys choose a run.
type runList struct {
	widget.List
	step func(by int)
	back func() // goes back to the list of scripts
	del  func() // deletes the shown run, or nil
}

func (l *runList) TypedKey(key *fyne.KeyEvent) {
	const page, all = 10, 1 << 30
	switch key.Name {
	case fyne.KeyUp:
		l.step(-1)
	case fyne.KeyDown:
		l.step(1)
	case fyne.KeyPageUp:
		l.step(-page)
	case fyne.KeyPageDown:
		l.step(page)
	case fyne.KeyHome:
		l.step(-all)
	case fyne.KeyEnd:
		l.step(all)
	case fyne.KeyBackspace, fyne.KeyLeft:
		if l.back != nil {
			l.back()
		}
	case fyne.KeyDelete:
		if l.del != nil {
			l.del()
		}
	default:
		l.List.TypedKey(key)
	}
}
