//go:build !headless && unix && !darwin

package tray

import (
	"context"

	"fyne.io/systray"
)

// runIcon shows the icon until ctx ends. It calls prepare before the desktop sees the icon, and paint and begin
// when the icon can be changed: what is changed in between, systray may lose.
func runIcon(ctx context.Context, prepare, paint, begin func()) {
	start, end := systray.RunWithExternalLoop(nil, nil)
	prepare()
	start()
	paint()
	begin()
	<-ctx.Done()
	end()
}
