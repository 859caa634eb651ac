package blender

// Limits bound what a run may use. The zero value bounds nothing. A system ignores the limits that
// it does not have. The limits of a Blender that a person has open are never changed.
type Limits struct {
	// Memory is how many bytes a process of the run may allocate; 0 is no limit. It holds for
	// Blender, whose memory from before the run counts, too, and for each process that the run
	// starts. An allocation beyond it fails: Python raises MemoryError, and Blender may crash. On
	// Windows the limit holds for all these processes together. Only Linux and Windows have this
	// limit.
	Memory uint64
	// Nice lowers the priority with which the processor executes the run, 1 to 19 as for nice(1); 0
	// changes nothing. Where the system does not let a program raise a priority again, as for
	// ordinary users of Linux and macOS, the Blender executes no other run. Windows has two steps:
	// below normal, and from 10 on idle.
	Nice int
	// Processes is how many processes the run may start; 0 is no limit. On Linux the threads count,
	// too, and so does everything else that the user starts meanwhile; root has no such limit. Only
	// Linux and Windows have this limit.
	Processes int
}

// limit sets limits for the process and its descendants. It returns a function that removes the
// limits; that function returns whether the process is as it was before.
func (p *process) limit(l Limits) (undo func() bool) {
	if l == (Limits{}) {
		return func() bool { return true }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return func() bool { return true }
	}
	undoLocked := p.group.limit(l)
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.dead || undoLocked()
	}
}
