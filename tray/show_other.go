//go:build !headless && !linux

package tray

import "fyne.io/fyne/v2"

// show puts a notification on the desktop.
func (s *shell) show(n notice) {
	s.do(func() { s.app.SendNotification(fyne.NewNotification(n.title, n.text)) })
}
