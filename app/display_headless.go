//go:build headless

package app

import "blendtray/app/doctor"

// trayOfThisBuild returns nil: this build has no tray.
func trayOfThisBuild() *doctor.Tray { return nil }
