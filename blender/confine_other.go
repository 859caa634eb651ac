//go:build !linux

package blender

import (
	"errors"
	"os/exec"

	"blendtray/api"
)

// confine fails: only Linux has what it takes.
func confine(*exec.Cmd, api.Confinement, string, []string, []string) error {
	return errors.New("blender can be confined on Linux alone")
}

// WhyNotConfined returns why no Blender can be confined on this machine.
func WhyNotConfined(api.Confinement) string { return "a Blender can be confined on Linux alone" }
