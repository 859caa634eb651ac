//go:build !headless

package tray

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// remark is a sentence above a text, with a button where a person can do something. It takes no room
// while there is nothing to say.
type remark struct {
	content *fyne.Container
	words   *widget.Label
	button  *widget.Button
	below   fyne.CanvasObject // what makes room for the remark
}

// newRemark returns an empty remark and a container that has the remark above something else. do may be
// nil where there is never a button.
func newRemark(button string, do func(), below fyne.CanvasObject) (*remark, *fyne.Container) {
	n := &remark{words: widget.NewLabel("")}
	n.words.Wrapping = fyne.TextWrapWord
	n.button = widget.NewButtonWithIcon(button, theme.DocumentIcon(), do)
	n.content = container.NewBorder(nil, nil, nil, container.NewCenter(n.button), n.words)
	n.content.Hide()
	all := container.NewBorder(n.content, nil, nil, nil, below)
	n.below = all
	return n, all
}

// say shows a sentence, with or without the button, or nothing for "".
func (n *remark) say(words string, offer bool) {
	if n.words.Text == words && n.button.Visible() == offer {
		return
	}
	n.words.SetText(words)
	n.button.Hidden = !offer
	n.content.Hidden = words == ""
	n.below.Refresh()
}
