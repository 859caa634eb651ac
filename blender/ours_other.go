//go:build !linux

package blender

// mayBeOurs returns true: these systems do not tell without a search through all processes who listens
// on a port. Both sides of a session prove that they know the token.
func mayBeOurs(string) bool { return true }
