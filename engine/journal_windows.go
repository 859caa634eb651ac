package engine

import "io/fs"

// keepsJournalsOpen is false because Windows renames no file that is open.
const keepsJournalsOpen = false

// hasNoName returns false: a file that is open can't be removed here.
func hasNoName(fs.FileInfo) bool { return false }
