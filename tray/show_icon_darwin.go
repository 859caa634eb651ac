//go:build !headless

package tray

import (
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon shows an icon in the menu bar, which draws it in its own colours.
func showIcon(_ desktop.App, icon assets.Icon) {
	systray.SetTemplateIcon(icon.Template(), icon.Template())
}

// Clicks in the menu bar arrive on Fyne's goroutine, which must not sleep.
const mayDrowse = false
