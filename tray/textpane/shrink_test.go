//go:build !headless

package textpane

import (
	"strings"
	"testing"

	"blendtray/tray/textpane/selection"
)

const bar = "[##########################################################]"

// A script prints on while the pane is drawn, and a progress bar makes its line shorter.
func TestTheLastLineMayBecomeShorterWhileItIsDrawn(t *testing.T) {
	for _, wrap := range []bool{false, true} {
		s := show(t, Options{})
		s.SetWrap(wrap)
		ended, stop := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-stop:
					return
				default:
					s.Append([]byte("\r" + strings.Repeat(bar, 3)))
					s.Append([]byte("\r\x1b[Kok"))
				}
			}
		}()
		for range 500 {
			s.draw(400, 300)
		}
		close(stop)
		<-ended
	}
}

func TestTheSelectedLineMayBecomeShorter(t *testing.T) {
	s := show(t, Options{})
	s.Append([]byte("first\n" + bar))
	s.see()
	s.Select(selection.Pos{Line: 1, Byte: 20}, selection.Pos{Line: 1, Byte: 40})
	if got := s.Selected(); got != bar[20:40] {
		t.Fatalf("selected: %q", got)
	}
	s.Append([]byte("\r\x1b[Kdone"))
	if got := s.Selected(); got != "" {
		t.Errorf("selected beyond the end of a line: %q", got)
	}
}

func TestWhoeverHasAButtonForWrappingIsToldOfTheMenu(t *testing.T) {
	told := []bool{}
	s := show(t, Options{Wrapped: func(on bool) { told = append(told, on) }})
	for range 2 {
		items := s.menu().Items
		items[len(items)-1].Action()
	}
	if len(told) != 2 || !told[0] || told[1] || s.Wrap() {
		t.Errorf("told %v, and wrapped is %v", told, s.Wrap())
	}
}
