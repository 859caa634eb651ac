//go:build !headless

package tray

import (
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon shows an icon in the notification area, in the sizes for every screen. Fyne would make
// an icon of a single size.
func showIcon(_ desktop.App, icon assets.Icon) { systray.SetIcon(icon.ICO()) }

const mayDrowse = true
