package fleet

import (
	"slices"

	"blendtray/api"
)

// use is what a member of the fleet is for.
type use int

const (
	// clean: nothing has run in its process.
	clean use = iota
	// spent: an isolated run was executed in its process, which does no other one.
	spent
	// resets: it executes run after run, each in a scene made anew.
	resets
	// keeps: it executes run after run in the scene as it is.
	keeps
	// ofSession: it executes the runs of one session, and ends with the session.
	ofSession
	// confinedClean: nothing has run in its process, which is confined, for a session.
	confinedClean
)

// goesOn reports whether a process with this use executes run after run.
func (u use) goesOn() bool { return u == resets || u == keeps || u == ofSession }

func (u use) String() string {
	return [...]string{"waiting", "left", "scene", "keep", "session", "confined"}[u]
}

// view is a member as decisions see it.
type view struct {
	use   use
	state api.BlenderState
	busy  bool // a run or a preview is running in it
	last  bool // it has what the last isolated run left
	// parked members have no process and are started when one is needed. The process of one that
	// is ending is not gone yet.
	parked, ending bool
	// stale: what its process read at its start has changed since.
	stale bool
	// scene is the .blend that its process has opened at its start, or "".
	scene string
	// session is the session that has its process, or "".
	session string
}

// free reports whether the member can execute a run at once.
func (v view) free() bool {
	return !v.parked && !v.busy && v.state == api.BlenderReady && !(v.stale && (v.use == clean || v.use == confinedClean))
}

// need is what a run asks for.
type need struct {
	isolation api.Isolation
	// look: the run looks at what the last isolated run left.
	look bool
	// scene is the .blend that the run begins with, or "".
	scene string
	// session is the session in which the run goes on, or "". confined says that it begins in a
	// confined Blender.
	session  string
	confined bool
}

// uses returns which members may execute a run, the best first.
func (n need) uses(members []view) []use {
	switch {
	case n.session != "":
		for _, m := range members {
			if m.session == n.session {
				return []use{ofSession}
			}
		}
		if n.confined {
			return []use{confinedClean}
		}
		return []use{clean} // which is the session's from then on
	case n.look:
		for _, m := range members {
			if m.last {
				return []use{spent}
			}
		}
		return []use{clean} // nothing was left yet, and a new Blender is as good
	case n.isolation == api.IsolateScene:
		return []use{resets}
	case n.isolation == api.IsolateKeep:
		return []use{keeps}
	}
	return []use{clean}
}

// choose returns which member should execute a run, or -1 while none is free. A session has one
// member, and no other run has it. A run that begins
// with a .blend can open the file in a Blender that waits without a file.
func choose(members []view, n need) int {
	plain := -1
	for _, u := range n.uses(members) {
		for i, m := range members {
			switch {
			case m.use != u || !m.free() || u == spent && !m.last || m.session != "" && m.session != n.session:
			case u != clean || m.scene == n.scene:
				return i
			case m.scene == "" && plain < 0:
				plain = i
			}
		}
	}
	return plain
}

// scene is a .blend that runs begin with.
type scene struct {
	file string
	cost uint64 // how much memory a Blender has that waits with the file open, in bytes
}

// policy is what a plan keeps to.
type policy struct {
	ahead    int    // how many Blenders wait for the next runs
	cores    int    // how many are started at the same time at most
	expected int    // how many isolated runs wait
	want     []need // what waits just now for a member
	hold     bool   // a run is running, and a start would slow it
	scarce   bool   // memory is short: nothing is started ahead
	port     bool   // the Blender that keeps its state is always there
	// scenes are the files with which a Blender should wait, the most recently used first. room is
	// how much memory all of these Blenders together may have, in bytes.
	scenes []scene
	room   uint64
}

// served returns the files with which a Blender should wait and for which there is memory.
func (p policy) served() []string {
	var files []string
	room := p.room
	for _, s := range p.scenes {
		if s.cost <= room && len(files) < maxScenes {
			room -= s.cost
			files = append(files, s.file)
		}
	}
	return files
}

// maxScenes is with how many different files Blenders wait, at most.
const maxScenes = 4

// plan is what should be done with the members.
type plan struct {
	start []start // parked members that should be started
	park  []int   // members whose process should be ended
	add   []addition
}

// start is a start of a parked member, with a .blend or "".
type start struct {
	member int
	scene  string
}

// addition is a member that is missing, and the .blend that it should start with, or "".
type addition struct {
	use   use
	scene string
}

// decide returns what is to be done so that the next runs find their Blender.
func decide(members []view, p policy) plan {
	var out plan
	wanted := func(u use) bool {
		for _, n := range p.want {
			for _, w := range n.uses(members) {
				if w == u {
					return true
				}
			}
		}
		return u == keeps && p.port
	}
	// Members that go on are there from the first run that asks for them.
	for _, u := range []use{resets, keeps} {
		found := false
		for i, m := range members {
			if m.use != u {
				continue
			}
			found = true
			if m.parked && !m.ending && wanted(u) {
				out.start = append(out.start, start{member: i})
			}
		}
		if !found && wanted(u) {
			out.add = append(out.add, addition{use: u})
		}
	}
	// A Blender is confined when a session asks for it, and ends when no session does any more.
	waits, spare := false, -1
	for i, m := range members {
		if m.use != confinedClean {
			continue
		}
		switch {
		case m.parked && !m.ending:
			spare = i
		case m.stale && !m.busy && !m.parked, !wanted(confinedClean) && !m.busy && !m.parked:
			out.park = append(out.park, i)
		default:
			waits = true
		}
	}
	if wanted(confinedClean) && !waits {
		if spare >= 0 {
			out.start = append(out.start, start{member: spare})
		} else {
			out.add = append(out.add, addition{use: confinedClean})
		}
	}
	// What the last run but one left is of no use any more.
	for i, m := range members {
		if m.use == spent && !m.last && !m.busy && !m.parked {
			out.park = append(out.park, i)
		}
	}
	// A waiting Blender that has read something else than the next one would is replaced.
	served := p.served()
	stale := func(m view) bool {
		// A Blender that is opening a file takes memory already, and its own use is not known yet.
		unserved := m.scene != "" && m.state != api.BlenderStarting && !slices.Contains(served, m.scene)
		outdated := m.stale || unserved
		return m.use == clean && outdated && !m.busy && !m.parked
	}
	for i, m := range members {
		if stale(m) {
			out.park = append(out.park, i)
		}
	}
	target := min(max(p.ahead, p.expected), max(p.ahead, p.cores))
	urgent := wanted(clean)
	have := 0
	for _, m := range members {
		if m.use == clean && m.scene == "" && (m.ending || stale(m) || !m.parked && m.state != api.BlenderFailed) {
			have++ // one that is ending is started again in a moment
		}
	}
	if p.scarce {
		target = min(target, have) // what waits already may go on waiting
	}
	if urgent {
		target = max(target, 1)
	}
	// A run that waits does not wait for files that others are opening.
	starting, plain := 0, 0
	for _, m := range members {
		if m.use == clean && !m.parked && m.state == api.BlenderStarting {
			starting++
			if m.scene == "" {
				plain++
			}
		}
	}
	begins := map[int]bool{} // the parked members that this plan starts
	// begin starts a Blender, in a parked member or in a new one.
	begin := func(scene string, mayAdd bool) bool {
		beside := starting
		if scene == "" && urgent {
			beside = plain
		}
		if beside >= p.cores || p.hold && !urgent && p.expected == 0 {
			return false
		}
		for i, m := range members {
			if m.use == clean && m.parked && !m.ending && !begins[i] {
				begins[i] = true
				out.start = append(out.start, start{i, scene})
				starting++
				plain++
				return true
			}
		}
		if mayAdd {
			out.add = append(out.add, addition{clean, scene})
			starting++
			plain++
		}
		return mayAdd
	}
	// A member whose Blender failed tries by itself; another would fail as well.
	for have < target && begin("", !failing(members)) {
		have++
	}
	if !p.scarce && !failing(members) {
		for _, file := range served {
			if !waitsWith(members, file) {
				begin(file, true)
			}
		}
	}
	if !urgent && p.expected == 0 {
		opened := map[string]bool{} // the files with which a Blender goes on waiting
		for i := len(members) - 1; i >= 0; i-- {
			m := members[i]
			switch {
			case m.use != clean || m.parked || m.busy || stale(m):
			case m.scene == "" && have > target:
				out.park = append(out.park, i)
				have--
			case m.scene != "" && opened[m.scene]:
				out.park = append(out.park, i)
			case m.scene != "":
				opened[m.scene] = true
			}
		}
	}
	return out
}

// waitsWith returns whether a member waits with a file, or will. A member that failed with the file
// tries again by itself, and a member that is ending is started again in a moment.
func waitsWith(members []view, file string) bool {
	for _, m := range members {
		if m.use == clean && m.scene == file && (m.ending || !m.parked) {
			return true
		}
	}
	return false
}

// failing returns whether a Blender of the fleet can't be started. A Blender that can't open a
// .blend tells nothing of the others.
func failing(members []view) bool {
	for _, m := range members {
		if m.use == clean && m.scene == "" && m.state == api.BlenderFailed && !m.parked {
			return true
		}
	}
	return false
}

// summary returns the state of the fleet as that of one Blender, and which member it is most
// about, or -1.
func summary(members []view) (api.BlenderState, int) {
	best, state := -1, api.BlenderStopped
	rank := func(m view) int {
		switch {
		case m.parked:
			return 0
		case m.busy && m.state == api.BlenderRunning:
			return 6
		case m.use == clean && m.state == api.BlenderReady:
			return 5
		case m.state == api.BlenderFailed && (m.use != clean || m.scene == ""):
			return 4
		case m.use == clean && m.state == api.BlenderStarting:
			return 3
		case m.state == api.BlenderReady || m.state == api.BlenderRunning:
			return 2
		}
		return 1
	}
	top, ready := 0, -1
	for i, m := range members {
		r := rank(m)
		if r > top {
			top, best, state = r, i, m.state
		}
		if r == 2 {
			ready = i
		}
	}
	if ready >= 0 && top <= 3 {
		// The next one is only starting, which takes half a second after each run: whoever
		// looks at the fleet sees one that works.
		return api.BlenderReady, ready
	}
	return state, best
}
