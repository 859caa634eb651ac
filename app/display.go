//go:build !headless

package app

import (
	"blendtray/app/doctor"
	"blendtray/tray"
)

// trayOfThisBuild returns what the doctor examines of the tray.
func trayOfThisBuild() *doctor.Tray {
	return &doctor.Tray{Display: needDisplay(), Icons: tray.IconHost}
}
