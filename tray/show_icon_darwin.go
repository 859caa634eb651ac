//go:build !headless

package tray

import (
	"fyne.io/systray"

	"blendtray/assets"
)

// showIcon shows an icon in the menu bar, which draws it in its own colours.
func showIcon(icon assets.Icon) { systray.SetTemplateIcon(icon.Template(), icon.Template()) }
