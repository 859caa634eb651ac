//go:build !headless

package tray

import (
	"context"

	"fyne.io/systray"
)

// runIcon shows the icon until ctx ends. It calls prepare, paint and begin when there is an icon to change.
// It needs the main thread.
func runIcon(ctx context.Context, prepare, paint, begin func()) {
	context.AfterFunc(ctx, systray.Quit)
	systray.Run(func() {
		prepare()
		paint()
		begin()
	}, nil)
}
