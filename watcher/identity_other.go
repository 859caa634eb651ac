//go:build !linux && !darwin && !windows

package watcher

import (
	"io/fs"
	"os"
)

// identity returns nothing: these systems say nothing without opening the file. Size, time and
// bytes must do.
func identity(fs.FileInfo) (id fileID, ctime int64) { return fileID{}, 0 }

// hardLinks always returns 0: these systems do not say without opening the file.
func hardLinks(fs.FileInfo) uint64 { return 0 }

// bornAt always returns 0: these systems have no numbers of files that it could tell apart.
func bornAt(*os.File, fs.FileInfo) int64 { return 0 }
