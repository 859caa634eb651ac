//go:build !headless

package tray

import (
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon gives the notification area an icon in the sizes that it has on every screen; Fyne
// would make one of a single size.
func showIcon(_ desktop.App, icon assets.Icon) { systray.SetIcon(icon.ICO()) }

const mayDrowse = true
