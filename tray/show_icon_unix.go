//go:build !headless && unix && !darwin

package tray

import (
	"fyne.io/systray"

	"blendtray/assets"
)

func showIcon(icon assets.Icon) { systray.SetIcon(icon.PNG()) }
