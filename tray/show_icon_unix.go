//go:build !headless && unix && !darwin

package tray

import (
	"fyne.io/fyne/v2/driver/desktop"

	"blendtray/assets"
)

func showIcon(desk desktop.App, icon assets.Icon) { desk.SetSystemTrayIcon(resource(icon)) }

const mayDrowse = true
