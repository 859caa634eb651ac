//go:build unix && !linux

package blender

// limit lowers the priority; the limits of another process can't be set here.
func (g group) limit(l Limits) (undo func() bool) { return g.lowerPriority(l.Nice) }

// niceness returns what the system call for priorities tells.
func niceness(told int) int { return told }
