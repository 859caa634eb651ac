//go:build !headless

package tray

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// codeEntry is the field for code of the console. Enter runs code that is complete and begins a line
// otherwise, with Shift it begins a line, and with Ctrl it runs. Tab completes, or indents at the
// beginning of a line. The arrow keys go through the history, where they would leave the text.
type codeEntry struct {
	entry
	list     *completionList
	send     func()
	complete func()
	previous func(step int) // shows the code that ran before or after
	typing   func(rune)     // a rune was typed; 0 where something else has changed
	leave    func(back bool)
	shift    bool // a Shift key is held
}

// AcceptsTab reports that Tab means something here; see [fyne.Tabbable].
func (e *codeEntry) AcceptsTab() bool { return true }

// KeyDown notes that a Shift key is held; see [desktop.Keyable].
func (e *codeEntry) KeyDown(key *fyne.KeyEvent) {
	e.held(key, true)
	e.entry.KeyDown(key)
}

// KeyUp notes that a Shift key is released.
func (e *codeEntry) KeyUp(key *fyne.KeyEvent) {
	e.held(key, false)
	e.entry.KeyUp(key)
}

func (e *codeEntry) held(key *fyne.KeyEvent, down bool) {
	if key.Name == desktop.KeyShiftLeft || key.Name == desktop.KeyShiftRight {
		e.shift = down
	}
}

// FocusLost closes the list; see [fyne.Focusable].
func (e *codeEntry) FocusLost() {
	e.shift = false
	e.list.close()
	e.entry.FocusLost()
}

// TypedShortcut runs the code, or goes through the history; see [fyne.Shortcutable].
func (e *codeEntry) TypedShortcut(s fyne.Shortcut) {
	if c, ok := s.(*desktop.CustomShortcut); ok && c.Modifier == fyne.KeyModifierShortcutDefault {
		switch c.KeyName {
		case fyne.KeyReturn, fyne.KeyEnter:
			e.send()
			return
		case fyne.KeyUp:
			e.previous(-1)
			return
		case fyne.KeyDown:
			e.previous(1)
			return
		}
	}
	e.entry.TypedShortcut(s)
	e.typing(0)
}

// TypedRune types a rune; see [fyne.Focusable].
func (e *codeEntry) TypedRune(r rune) {
	e.entry.TypedRune(r)
	e.typing(r)
}

// TypedKey does what a key means; see [fyne.Focusable].
func (e *codeEntry) TypedKey(key *fyne.KeyEvent) {
	if !e.shift && e.list.key(key.Name) {
		return
	}
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		e.entered()
	case fyne.KeyTab:
		switch {
		case e.shift:
			e.leave(true)
		case strings.TrimSpace(e.lineBefore()) == "":
			e.insert(strings.Repeat(" ", indentStep-len(e.lineBefore())%indentStep))
		default:
			e.complete()
		}
	case fyne.KeyEscape:
		e.leave(false)
	case fyne.KeyUp:
		if !e.shift && e.CursorRow == 0 {
			e.previous(-1)
			return
		}
		e.entry.TypedKey(key)
	case fyne.KeyDown:
		if !e.shift && e.CursorRow == strings.Count(e.Text, "\n") {
			e.previous(1)
			return
		}
		e.entry.TypedKey(key)
	case fyne.KeyBackspace:
		n := 1
		if line := e.lineBefore(); line != "" && strings.Trim(line, " ") == "" && e.SelectedText() == "" {
			n = (len(line)-1)%indentStep + 1
		}
		for range n {
			e.entry.TypedKey(key)
		}
		e.typing(0)
	default:
		e.entry.TypedKey(key)
		e.typing(0)
	}
}

// entered runs the code, or begins a line.
func (e *codeEntry) entered() {
	before, after := e.around()
	runs, indent := afterEnter(before)
	if !e.shift && runs && !strings.Contains(after, "\n") {
		if all, _ := afterEnter(e.Text); all {
			e.send()
			return
		}
	}
	if runs { // Shift, or a line in the middle
		indent = indentOf(before[strings.LastIndexByte(before, '\n')+1:])
	}
	e.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	e.insert(indent)
}

// around returns the code before and behind the cursor.
func (e *codeEntry) around() (before, after string) {
	runes := []rune(e.Text)
	at := min(e.CursorTextOffset(), len(runes))
	return string(runes[:at]), string(runes[at:])
}

// lineBefore returns what is before the cursor in its line.
func (e *codeEntry) lineBefore() string {
	before, _ := e.around()
	return before[strings.LastIndexByte(before, '\n')+1:]
}

// insert types a text at the cursor.
func (e *codeEntry) insert(text string) {
	for _, r := range text {
		e.entry.TypedRune(r)
	}
}

// replace types a text in the place of the code from a rune on, up to the cursor.
func (e *codeEntry) replace(start int, text string) {
	before, _ := e.around()
	typed := string([]rune(before)[min(start, e.CursorTextOffset()):])
	kept := commonPrefix([]string{typed, text})
	for range len([]rune(typed)) - len([]rune(kept)) {
		e.entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	}
	e.insert(text[len(kept):])
}

// set shows other code, with the cursor at the end of its first or last line.
func (e *codeEntry) set(code string, first bool) {
	e.SetText(code)
	lines := strings.Split(code, "\n")
	e.CursorRow = len(lines) - 1
	if first {
		e.CursorRow = 0
	}
	e.CursorColumn = len([]rune(lines[e.CursorRow]))
	e.Refresh()
}
