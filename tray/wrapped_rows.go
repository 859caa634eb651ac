//go:build !headless

package tray

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/layout"
)

// wrappedRows lays out objects beside each other, and in a further row what has no room. Before it knows how
// wide it is, one row is enough for it: Fyne's layout wants a row for each object then, so that buttons in
// a tab that nobody has seen yet would make the window too high for small displays.
type wrappedRows struct {
	rows  fyne.Layout
	known bool
}

func newWrappedRows() *wrappedRows { return &wrappedRows{rows: layout.NewRowWrapLayout()} }

// MinSize returns what the rows need that there are, or one row.
func (l *wrappedRows) MinSize(objects []fyne.CanvasObject) fyne.Size {
	if l.known {
		return l.rows.MinSize(objects)
	}
	return l.row(objects)
}

// Layout makes as many rows as the objects need in a width. A container is made with its least width, which
// says nothing about how wide it will be.
func (l *wrappedRows) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	l.known = l.known || size.Width > l.row(objects).Width
	l.rows.Layout(objects, size)
}

// row returns the width of the widest object and the height of the highest.
func (l *wrappedRows) row(objects []fyne.CanvasObject) (size fyne.Size) {
	for _, o := range objects {
		if o.Visible() {
			size = size.Max(o.MinSize())
		}
	}
	return size
}
