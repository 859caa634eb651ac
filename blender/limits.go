package blender

// Limits bound what a run may use. The zero value bounds nothing. A limit that a system does not
// have is not kept there. The limits of a Blender that a person has open are never changed.
type Limits struct {
	// Memory is how many bytes a process of the run may allocate, Blender with what it had before
	// the run, and each process that the run starts; 0 is no limit. An allocation beyond it fails:
	// Python raises MemoryError, Blender may crash. On Windows it is for all of them together. Other
	// systems than Linux and Windows do not have it.
	Memory uint64
	// Nice is by how much less the processor's time is the run's than that of other programs, 1 to
	// 19 as for nice(1); 0 changes nothing. Where the system does not let a program raise a priority
	// again, as for ordinary users of Linux and macOS, the Blender does no other run. Windows has
	// two steps: below normal, and from 10 on idle.
	Nice int
	// Processes is how many processes the run may start; 0 is no limit. On Linux the threads
	// count, too, and so does what else the user starts meanwhile; root has no such limit. Other
	// systems than Linux and Windows do not have it.
	Processes int
}

// limit sets limits for the process and its descendants. The function that it returns takes them
// off, and returns whether the process is as it was before.
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
