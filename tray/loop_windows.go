//go:build !headless

package tray

import (
	"context"
	"time"

	"fyne.io/systray"
)

// lookForTaskbar is how often runIcon looks whether there is a taskbar; Windows tells only programs with a window.
const lookForTaskbar = 250 * time.Millisecond

// runIcon shows the icon until ctx ends. It calls begin at once, and prepare and paint when there is an icon to
// change. Without a taskbar systray shows no icon and calls nothing, for good, so runIcon waits for the taskbar.
// It needs the main thread.
func runIcon(ctx context.Context, prepare, paint, begin func()) {
	begin()
	for there, _ := IconHost(); !there; there, _ = IconHost() {
		select {
		case <-time.After(lookForTaskbar):
		case <-ctx.Done():
			return
		}
	}
	context.AfterFunc(ctx, systray.Quit)
	systray.Run(func() {
		prepare()
		paint()
	}, nil)
}
