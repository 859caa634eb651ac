//go:build !headless

package tray

import (
	"sync"

	"fyne.io/systray"
)

// menu is the menu of the tray. Fyne's menu makes all lines again with each change, so an open
// menu flickers and clicks are lost. Here the lines stay and change their texts.
type menu struct {
	lines  []*line
	clicks chan Item
}

type line struct {
	item *systray.MenuItem // nil for a separator

	mu    sync.Mutex
	shown Item
}

// newMenu makes the menu and shows items. clicked is called for each click, one at a time.
func newMenu(items []Item, clicked func(Item)) *menu {
	m := &menu{clicks: make(chan Item, 8)}
	for _, it := range items {
		l := &line{shown: Item{Enabled: true, Check: it.Check}}
		switch {
		case it.Separator:
			systray.AddSeparator()
		case it.Check:
			l.item = systray.AddMenuItemCheckbox(" ", "", false)
		default:
			l.item = systray.AddMenuItem(" ", "")
		}
		m.lines = append(m.lines, l)
		if l.item != nil {
			go m.listen(l)
		}
	}
	m.set(items)
	go func() {
		for it := range m.clicks {
			clicked(it)
		}
	}()
	return m
}

// listen waits for clicks; systray drops those for which nobody is waiting.
func (m *menu) listen(l *line) {
	for range l.item.ClickedCh {
		l.mu.Lock()
		it := l.shown
		l.mu.Unlock()
		if it.Enabled {
			select {
			case m.clicks <- it:
			default: // eight clicks are waiting
			}
		}
	}
}

// set shows other items. It sends the desktop only what has changed.
func (m *menu) set(items []Item) {
	for i, it := range items {
		l := m.lines[i]
		if l.item == nil {
			continue
		}
		l.mu.Lock()
		was := l.shown
		l.shown = it
		l.mu.Unlock()
		if it.Hidden != was.Hidden {
			if it.Hidden {
				l.item.Hide()
			} else {
				l.item.Show()
			}
		}
		if it.Label != was.Label && it.Label != "" {
			l.item.SetTitle(escapeLabel(it.Label))
		}
		if it.Enabled != was.Enabled {
			if it.Enabled {
				l.item.Enable()
			} else {
				l.item.Disable()
			}
		}
		if it.Checked != was.Checked {
			if it.Checked {
				l.item.Check()
			} else {
				l.item.Uncheck()
			}
		}
	}
}
