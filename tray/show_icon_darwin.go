//go:build !headless

package tray

import (
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon gives the menu bar an icon that it draws in its own colours.
func showIcon(_ desktop.App, icon assets.Icon) {
	systray.SetTemplateIcon(icon.Template(), icon.Template())
}

// The menu bar's clicks come to the goroutine that would drowse.
const mayDrowse = false
