//go:build !headless

package tray

import (
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon shows an icon in the notification area, in the sizes for every screen.
func showIcon(icon assets.Icon) { systray.SetIcon(icon.ICO()) }
