package engine

// inodeOf returns 0: what a path names is not compared on this system.
func inodeOf(string) uint64 { return 0 }
