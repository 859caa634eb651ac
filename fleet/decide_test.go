package fleet

import (
	"reflect"
	"testing"

	"blendtray/api"
)

var (
	ready     = view{use: clean, state: api.BlenderReady}
	starting  = view{use: clean, state: api.BlenderStarting}
	parked    = view{use: clean, state: api.BlenderStopped, parked: true}
	failed    = view{use: clean, state: api.BlenderFailed}
	left      = view{use: spent, state: api.BlenderReady, last: true}
	older     = view{use: spent, state: api.BlenderReady}
	running   = view{use: spent, state: api.BlenderRunning, busy: true, last: true}
	looked    = view{use: spent, state: api.BlenderRunning, busy: true}
	resetting = view{use: resets, state: api.BlenderReady}
	keep      = view{use: keeps, state: api.BlenderReady}
	withA     = view{use: clean, state: api.BlenderReady, scene: "/a.blend"}
	withB     = view{use: clean, state: api.BlenderReady, scene: "/b.blend"}
	opening   = view{use: clean, state: api.BlenderStarting, scene: "/a.blend"}
	walled    = view{use: confinedClean, state: api.BlenderReady}
	ofOther   = view{use: ofSession, state: api.BlenderReady, session: "other"}
	unopened  = view{use: clean, state: api.BlenderFailed, scene: "/a.blend"}
)

func TestARunIsExecutedWhereItFits(t *testing.T) {
	t.Parallel()
	process, look := need{isolation: api.IsolateProcess}, need{isolation: api.IsolateKeep, look: true}
	inA, inB := need{isolation: api.IsolateProcess, scene: "/a.blend"}, need{isolation: api.IsolateProcess, scene: "/b.blend"}
	for _, c := range []struct {
		name    string
		members []view
		need    need
		want    int
	}{
		{"nobody is there", nil, process, -1},
		{"one waits", []view{left, starting, ready}, process, 2},
		{"none waits", []view{left, resetting, keep, starting, parked}, process, -1},
		{"a used one is never taken", []view{older, left}, process, -1},
		{"one that has read other settings is not taken", []view{{use: clean, state: api.BlenderReady, stale: true}}, process, -1},
		{"in a scene", []view{ready, resetting}, need{isolation: api.IsolateScene}, 1},
		{"a busy one is not free", []view{{use: resets, state: api.BlenderRunning, busy: true}}, need{isolation: api.IsolateScene}, -1},
		{"in the one that keeps its state", []view{ready, left, keep}, need{isolation: api.IsolateKeep}, 2},
		{"a look at what was left", []view{ready, older, left}, look, 2},
		{"a look waits for the run", []view{ready, running}, look, -1},
		{"a look beside a run at what another one left", []view{looked, left}, look, 1},
		{"a look before any run", []view{starting, ready}, look, 1},
		{"with its file open", []view{ready, withA}, inA, 1},
		{"with another file open", []view{withA, ready}, inB, 1},
		{"no other file is closed for it", []view{withA}, inB, -1},
		{"without a file", []view{withA, ready}, process, 1},
		{"not in a file", []view{withA}, process, -1},
		{"in a session that is confined", []view{ready, walled}, need{session: "a", confined: true}, 1},
		{"not in a Blender that is not confined", []view{ready}, need{session: "a", confined: true}, -1},
		{"not in a Blender that is confined", []view{walled}, need{session: "a"}, -1},
		{"no isolated run is confined", []view{walled}, process, -1},
		{"not in the confined session of another", []view{ofOther, walled}, need{session: "a", confined: true}, 1},
		{"in its own confined session", []view{walled, ofOther}, need{session: "other", confined: true}, 1},
		{"while its file is being opened", []view{opening, ready}, inA, 1},
	} {
		if got := choose(c.members, c.need); got != c.want {
			t.Errorf("%s: member %d, want %d", c.name, got, c.want)
		}
	}
}

func TestBlendersAreStartedBeforeTheyAreNeeded(t *testing.T) {
	t.Parallel()
	wants := func(isolation api.Isolation) []need { return []need{{isolation: isolation}} }
	for _, c := range []struct {
		name    string
		members []view
		policy  policy
		want    plan
	}{
		{"at first", nil, policy{ahead: 1, cores: 2}, plan{add: []addition{{use: clean}}}},
		{"two of them", nil, policy{ahead: 2, cores: 4}, plan{add: []addition{{use: clean}, {use: clean}}}},
		{"enough", []view{ready}, policy{ahead: 1, cores: 2}, plan{}},
		{"one is starting", []view{starting}, policy{ahead: 1, cores: 2}, plan{}},
		{"none ahead", nil, policy{ahead: 0, cores: 2}, plan{}},
		{"none ahead, and a run waits", nil, policy{cores: 2, want: wants(api.IsolateProcess)}, plan{add: []addition{{use: clean}}}},
		{"after a run", []view{left}, policy{ahead: 1, cores: 2}, plan{add: []addition{{use: clean}}}},
		{"after a run, with one parked", []view{left, parked}, policy{ahead: 1, cores: 2}, plan{start: []start{{member: 1}}}},
		{"while the previous one ends", []view{left, {use: clean, parked: true, ending: true}}, policy{ahead: 1, cores: 2}, plan{}},
		{"beside a run", []view{running, parked}, policy{ahead: 1, cores: 2, hold: true}, plan{}},
		{"beside a run, when another waits", []view{running, parked}, policy{ahead: 1, cores: 2, hold: true, expected: 1}, plan{start: []start{{member: 1}}}},
		{"what waits has read other settings", []view{{use: clean, state: api.BlenderReady, stale: true}}, policy{ahead: 1, cores: 2}, plan{park: []int{0}}},
		{"what was left goes when another run has begun", []view{older, running}, policy{ahead: 1, cores: 2, hold: true}, plan{park: []int{0}}},
		{"but not while somebody looks at it", []view{looked, running}, policy{ahead: 1, cores: 2, hold: true}, plan{}},
		{"two go on at the same time", []view{looked, running, ready}, policy{ahead: 2, cores: 2, hold: true}, plan{}},
		{"one of two has ended, and is looked at", []view{looked, left, ready, ready}, policy{ahead: 2, cores: 2}, plan{}},
		{"the other one has ended after it", []view{older, left, ready, ready}, policy{ahead: 2, cores: 2}, plan{park: []int{0}}},
		{"many wait", []view{running, starting}, policy{ahead: 1, cores: 2, hold: true, expected: 1000}, plan{add: []addition{{use: clean}}}},
		{"as many as there are cores", []view{running, starting, starting}, policy{ahead: 1, cores: 2, hold: true, expected: 1000}, plan{}},
		{"after a burst", []view{left, ready, ready, ready}, policy{ahead: 1, cores: 4}, plan{park: []int{3, 2}}},
		{"memory is short", []view{left}, policy{ahead: 1, cores: 2, scarce: true}, plan{}},
		{"memory is short, and one waits", []view{left, ready}, policy{ahead: 1, cores: 2, scarce: true}, plan{}},
		{"the Blender with the port can't be started", []view{left, {use: keeps, state: api.BlenderFailed}}, policy{ahead: 1, cores: 2, port: true}, plan{add: []addition{{use: clean}}}},
		{"memory is short, and a run waits", []view{left}, policy{ahead: 1, cores: 2, scarce: true, want: wants(api.IsolateProcess)}, plan{add: []addition{{use: clean}}}},
		{"Blender can't be started", []view{failed}, policy{ahead: 1, cores: 2}, plan{}},
		{"a run in a scene waits", []view{ready}, policy{ahead: 1, cores: 2, want: wants(api.IsolateScene)}, plan{add: []addition{{use: resets}}}},
		{"it has its Blender", []view{ready, resetting}, policy{ahead: 1, cores: 2, want: wants(api.IsolateScene)}, plan{}},
		{"it was stopped", []view{ready, {use: resets, parked: true}}, policy{ahead: 1, cores: 2, want: wants(api.IsolateScene)}, plan{start: []start{{member: 1}}}},
		{"a confined session waits", []view{ready}, policy{ahead: 1, cores: 2, want: []need{{session: "a", confined: true}}}, plan{add: []addition{{use: confinedClean}}}},
		{"its Blender starts", []view{ready, {use: confinedClean, state: api.BlenderStarting}}, policy{ahead: 1, cores: 2, want: []need{{session: "a", confined: true}}}, plan{}},
		{"one has ended before", []view{ready, {use: confinedClean, parked: true}}, policy{ahead: 1, cores: 2, want: []need{{session: "a", confined: true}}}, plan{start: []start{{member: 1}}}},
		{"no confined session waits any more", []view{ready, walled}, policy{ahead: 1, cores: 2}, plan{park: []int{1}}},
		{"the settings have changed", []view{ready, {use: confinedClean, state: api.BlenderReady, stale: true}}, policy{ahead: 1, cores: 2, want: []need{{session: "a", confined: true}}}, plan{park: []int{1}, add: []addition{{use: confinedClean}}}},
		{"a port is to be open", []view{ready}, policy{ahead: 1, cores: 2, port: true}, plan{add: []addition{{use: keeps}}}},
	} {
		if got := decide(c.members, c.policy); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestBlendersWaitWithTheFilesThatRunsBeginWith(t *testing.T) {
	t.Parallel()
	a, b := scene{file: "/a.blend", cost: 100}, scene{file: "/b.blend", cost: 100}
	for _, c := range []struct {
		name    string
		members []view
		policy  policy
		want    plan
	}{
		{"at first", []view{ready}, policy{scenes: []scene{a, b}, room: 200}, plan{add: []addition{{clean, "/a.blend"}, {clean, "/b.blend"}}}},
		{"no more at a time than cores", []view{ready}, policy{cores: 1, scenes: []scene{a, b}, room: 200}, plan{add: []addition{{clean, "/a.blend"}}}},
		{"as the memory allows", []view{ready}, policy{scenes: []scene{a, b}, room: 199}, plan{add: []addition{{clean, "/a.blend"}}}},
		{"enough", []view{ready, withA}, policy{scenes: []scene{a}, room: 100}, plan{}},
		{"one is opening", []view{ready, opening}, policy{scenes: []scene{a}, room: 100}, plan{}},
		{"in a parked process", []view{parked, ready}, policy{scenes: []scene{a}, room: 100}, plan{start: []start{{0, "/a.blend"}}}},
		{"each in a process of its own", []view{parked, ready}, policy{scenes: []scene{a, b}, room: 200}, plan{start: []start{{0, "/a.blend"}}, add: []addition{{clean, "/b.blend"}}}},
		{"after a run", []view{ready, {use: spent, state: api.BlenderReady, last: true, scene: "/a.blend"}}, policy{scenes: []scene{a}, room: 100}, plan{add: []addition{{clean, "/a.blend"}}}},
		{"beside a run", []view{ready, running}, policy{hold: true, scenes: []scene{a}, room: 100}, plan{}},
		{"what is used most recently goes first", []view{ready, withA}, policy{scenes: []scene{b, a}, room: 100}, plan{park: []int{1}, add: []addition{{clean, "/b.blend"}}}},
		{"the file is not used any more", []view{ready, withB}, policy{room: 100}, plan{park: []int{1}}},
		{"the file has changed", []view{ready, {use: clean, state: api.BlenderReady, scene: "/a.blend", stale: true}}, policy{scenes: []scene{a}, room: 100}, plan{park: []int{1}}},
		{"while the previous process ends", []view{ready, {use: clean, scene: "/a.blend", parked: true, ending: true}}, policy{scenes: []scene{a}, room: 100}, plan{}},
		{"the file can't be opened", []view{ready, unopened}, policy{scenes: []scene{a}, room: 100}, plan{}},
		{"Blender can't be started", []view{failed}, policy{scenes: []scene{a}, room: 100}, plan{}},
		{"while it is opened it takes memory", []view{ready, opening}, policy{scenes: []scene{a}, room: 50}, plan{}},
		{"a run does not wait for files that are opened", []view{opening, {use: clean, state: api.BlenderStarting, scene: "/b.blend"}}, policy{scenes: []scene{a, b}, room: 200, want: []need{{isolation: api.IsolateProcess}}}, plan{add: []addition{{use: clean}}}},
		{"two wait with the same file", []view{ready, withA, withA}, policy{scenes: []scene{a}, room: 200}, plan{park: []int{1}}},
	} {
		c.policy.ahead = 1
		if c.policy.cores == 0 {
			c.policy.cores = 2
		}
		if got := decide(c.members, c.policy); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAFleetIsShownAsOneBlender(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		members []view
		state   api.BlenderState
		member  int
	}{
		{"nobody", nil, api.BlenderStopped, -1},
		{"a run", []view{left, ready, running}, api.BlenderRunning, 2},
		{"one waits", []view{left, ready}, api.BlenderReady, 1},
		{"the next one starts", []view{left, starting}, api.BlenderReady, 0},
		{"the first one starts", []view{starting}, api.BlenderStarting, 0},
		{"it can't be started", []view{failed}, api.BlenderFailed, 0},
		{"parked", []view{parked}, api.BlenderStopped, -1},
		{"a file can't be opened", []view{unopened, ready}, api.BlenderReady, 1},
		{"a file can't be opened, and one starts", []view{unopened, starting}, api.BlenderStarting, 1},
	} {
		if state, i := summary(c.members); state != c.state || i != c.member {
			t.Errorf("%s: %s of member %d, want %s of %d", c.name, state, i, c.state, c.member)
		}
	}
}
