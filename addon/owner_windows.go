package addon

import "io/fs"

// trustedOwner always returns true: Windows keeps the folders of its users apart.
func trustedOwner(fs.FileInfo) bool { return true }
