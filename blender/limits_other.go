//go:build unix && !linux

package blender

// limit lowers the priority; the limits of another process can't be set here.
func (g group) limit(l Limits) (undo func() bool) { return g.lowerPriority(l.Nice) }

// niceness returns the nice value for what the system call for priorities returns, which is the
// same here.
func niceness(told int) int { return told }
