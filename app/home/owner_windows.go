package home

import "io/fs"

// ownedByUser always returns true: Windows keeps the folders of its users apart.
func ownedByUser(fs.FileInfo) bool { return true }

// trustedOwner always returns true, for the same reason.
func trustedOwner(fs.FileInfo) bool { return true }
