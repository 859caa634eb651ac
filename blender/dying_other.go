//go:build !linux

package blender

// inCrashHandler returns that nothing is known: these systems do not tell it.
func inCrashHandler(int) (is, known bool) { return false, false }
