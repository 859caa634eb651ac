//go:build !headless && !linux

package tray

import (
	"context"
	"time"
)

// show puts a notification on the desktop.
func (s *indicator) show(n notice) {
	go func() {
		ctx, stop := context.WithTimeout(s.ctx, 30*time.Second)
		defer stop()
		_ = notification(ctx, n.title, n.text).Run() // the window shows the run also where nothing shows notifications
	}()
}
