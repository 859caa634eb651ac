// Package addon holds the Python that lives in Blender and puts it on disk.
//
// The folder tcp_echo is an add-on and an extension for Blender; launcher.py starts it in a
// background Blender. [Unpack] writes both where Blender can run them from. The package
// does not start Blender and does not speak to it: that is package blender.
package addon

import (
	"embed"
	"io/fs"
	"regexp"
)

//go:embed launcher.py tcp_echo/*.py tcp_echo/blender_manifest.toml
var files embed.FS

var versionLine = regexp.MustCompile(`(?m)^version = "([^"]+)"$`)

// Version returns the add-on's version, such as "0.1.0", from blender_manifest.toml.
func Version() string {
	manifest, err := fs.ReadFile(files, "tcp_echo/blender_manifest.toml")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(versionLine.FindSubmatch(manifest)[1])
}
