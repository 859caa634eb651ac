package engine

import (
	"cmp"
	"fmt"
	"testing"

	"blendtray/api"
)

// waitingRun is a run of a table: in a folder, of a client or in a session.
type waitingRun struct {
	name                            string
	folder, client, session, script string
	blender                         string
	isolation                       api.Isolation // isolated unless it is given
	writtenBy                       string
}

func (w waitingRun) job(id int64) *job {
	j := &job{id: id, place: id, isFile: w.script != "", run: api.Run{
		ID: w.name, Folder: w.folder, Client: w.client, Session: w.session, Script: w.script, Blender: cmp.Or(w.blender, api.DefaultBlender),
		Isolation: w.isolation, WrittenBy: w.writtenBy, Source: api.FromCommand, Scene: "fresh",
	}}
	if w.isolation == api.IsolateAuto {
		j.run.Isolation = api.IsolateProcess
	}
	if w.session != "" {
		j.run.Isolation = api.IsolateKeep
	}
	if w.folder != "" {
		j.run.Source = api.FromFolder
	}
	j.line = lineOf(j)
	return j
}

// burst returns n saves in a folder.
func burst(folder string, n int) (all []waitingRun) {
	for i := range n {
		all = append(all, waitingRun{name: fmt.Sprint(folder, i), folder: folder, script: fmt.Sprint(folder, "/", i)})
	}
	return all
}

func TestTheNextRun(t *testing.T) {
	t.Parallel()
	const keep, scene = api.IsolateKeep, api.IsolateScene
	a := waitingRun{name: "a", folder: "/f", script: "/f/a"}
	b := waitingRun{name: "b", folder: "/f", script: "/f/b"}
	for name, c := range map[string]struct {
		waits   []waitingRun
		running []waitingRun // each with its Blender
		places  int          // runs.parallel; 0 is 1
		edit    func(l *load)
		want    []string // which begin, one after the other, as far as there are places
	}{
		"nothing waits":                          {want: nil},
		"a folder has an order":                  {waits: []waitingRun{a, b}, want: []string{"a"}},
		"two places":                             {waits: []waitingRun{a, b}, places: 2, want: []string{"a", "b"}},
		"no place is free":                       {waits: []waitingRun{b}, running: []waitingRun{a}},
		"its script is running, others pass":     {waits: []waitingRun{a, b}, running: []waitingRun{a}, places: 3, want: []string{"b"}},
		"never two of one script, of two lines":  {waits: []waitingRun{{name: "c", client: "c", script: "/f/a"}, a, b}, places: 3, edit: func(l *load) { l.turns[line{clientLine, "c\x00", "default"}] = 5 }, want: []string{"b", "c"}},
		"but a session's run holds up no folder": {waits: []waitingRun{{name: "s", session: "s", script: "/f/a"}, {name: "s2", session: "s"}, a}, running: []waitingRun{{session: "s"}}, want: []string{"a"}},
		"one scene": {
			waits:   []waitingRun{{name: "s", folder: "/s", script: "/s/1", isolation: scene}, {name: "s2", folder: "/s", script: "/s/2", isolation: scene}, b},
			running: []waitingRun{{folder: "/s", script: "/s/0", isolation: scene}}, places: 4, want: []string{"b"},
		},
		"a scene and a Blender that keeps its state": {
			waits:  []waitingRun{{name: "s", folder: "/s", isolation: scene}, {name: "k", folder: "/k", isolation: keep}, {name: "k2", folder: "/k2", isolation: keep}},
			places: 4, want: []string{"s", "k"},
		},
		"a client's order is kept": {
			waits:   []waitingRun{{name: "k", client: "c", isolation: keep}, {name: "i", client: "c"}, {name: "other", client: "d"}},
			running: []waitingRun{{client: "d", isolation: keep}}, places: 4, want: []string{"other"},
		},
		"sessions take no place": {
			waits:   []waitingRun{{name: "x1", session: "x"}, {name: "x2", session: "x"}, {name: "y", session: "y"}},
			running: []waitingRun{a}, want: []string{"x1", "y"},
		},
		"a session has an order, whatever runs elsewhere": {
			waits:   []waitingRun{{name: "x1", session: "x", script: "/f/a"}, {name: "x2", session: "x"}},
			running: []waitingRun{a}, want: nil,
		},
		"a run in a session takes no place from others": {waits: []waitingRun{a}, running: []waitingRun{{session: "x"}, {session: "y"}}, want: []string{"a"}},
		"lines take turns": {
			waits:  append(burst("/f", 9), burst("/g", 9)...),
			places: 4, want: []string{"/f0", "/g0", "/f1", "/g1"},
		},
		"who has waited longest for a turn": {
			waits: append(burst("/f", 9), burst("/g", 9)...),
			edit: func(l *load) {
				l.turns[line{folderLine, "/f", "default"}] = 7
				l.turns[line{folderLine, "/g", "default"}] = 6
			},
			want: []string{"/g0"},
		},
		"who has fewer running": {
			waits:   append(burst("/f", 9), burst("/g", 9)...),
			running: []waitingRun{{folder: "/g", script: "/g/x"}}, places: 2,
			edit: func(l *load) {
				l.turns[line{folderLine, "/f", "default"}] = 7
				l.turns[line{folderLine, "/g", "default"}] = 6
			},
			want: []string{"/f0"},
		},
		"a save by hand goes before a burst": {
			waits: append(burst("/f", 500), waitingRun{name: "hand", folder: "/h", script: "/h/a"}),
			edit:  func(l *load) { l.turns[line{folderLine, "/h", "default"}] = 7 },
			want:  []string{"hand"},
		},
		"but not twice in a row": {
			waits: append(burst("/f", 500), waitingRun{name: "hand", folder: "/h", script: "/h/a"}),
			edit:  func(l *load) { l.turns[line{folderLine, "/h", "default"}], l.hurried = 7, true },
			want:  []string{"/f0"},
		},
		"what a script saves is not by hand": {
			waits: append(burst("/f", 500), waitingRun{name: "hand", folder: "/h", script: "/h/a", writtenBy: "3"}),
			edit:  func(l *load) { l.turns[line{folderLine, "/h", "default"}] = 7 },
			want:  []string{"/f0"},
		},
		"a few saves have their turns": {
			waits: append(burst("/f", fewWaiting), waitingRun{name: "hand", folder: "/h", script: "/h/a"}),
			edit:  func(l *load) { l.turns[line{folderLine, "/h", "default"}] = 7 },
			want:  []string{"/f0"},
		},
		"no Blender is free for the first": {
			waits: []waitingRun{{name: "s", folder: "/s", script: "/s/1", isolation: scene}, a},
			edit:  func(l *load) { l.waits[need{blender: "default", isolation: scene}] = 1 },
			want:  []string{"a"},
		},
		"a Blender is being taken": {
			waits: []waitingRun{a, {name: "s", session: "s"}, {name: "look", client: "c", isolation: keep}}, places: 5,
			edit: func(l *load) { l.add(waitingRun{client: "x"}.job(100)) },
			want: []string{"s"},
		},
		"a look goes beside a run that has begun": {
			waits: []waitingRun{{name: "look", client: "c", isolation: keep}}, running: []waitingRun{a}, places: 2,
			want: []string{"look"},
		},
		"a Blender is stopped": {
			waits: []waitingRun{{name: "o", client: "c", blender: "halted"}, {name: "c", client: "c"}},
			want:  []string{"c"},
		},
		"the places are those of all Blenders": {
			waits: []waitingRun{{name: "o", client: "c", blender: "other"}, {name: "c", client: "c"}, {name: "os", session: "s", blender: "other"}},
			want:  []string{"(o)"},
		},
		"each Blender has its own scene": {
			waits:   []waitingRun{{name: "s", folder: "/s", isolation: scene}, {name: "o", folder: "/o", isolation: scene, blender: "other"}},
			running: []waitingRun{{isolation: scene, blender: "other"}}, places: 4, want: []string{"s"},
		},
		"an open Blender takes no place, and executes one run": {
			waits:   []waitingRun{{name: "o", client: "c", blender: "open"}, {name: "o2", client: "d", blender: "open"}},
			running: []waitingRun{a}, edit: func(l *load) { l.open["default"] = false }, want: []string{"o"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var q queue
			for i, w := range c.waits {
				q.push(w.job(int64(i + 1)))
			}
			l := newLoad()
			l.open["default"], l.open["other"] = false, false
			mine := func(blender string) bool { return blender == "default" }
			for _, w := range c.waits {
				if w.blender == "open" {
					l.open["open"] = true
					mine = func(string) bool { return true }
				}
			}
			for i, w := range c.running {
				j := w.job(int64(1000 + i))
				l.add(j)
				l.take(j)
			}
			l.parallel = max(c.places, 1)
			if c.edit != nil {
				c.edit(l)
			}
			var got []string
			for {
				j, early := q.next(l, mine)
				if j == nil {
					break
				}
				name := j.run.ID
				if !mine(j.run.Blender) {
					name = "(" + name + ")"
				}
				got = append(got, name)
				q.remove(j)
				l.add(j)
				l.take(j)
				l.turn += 100
				l.began(j, early, q.lines)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v begin, want %v", got, c.want)
			}
		})
	}
}

func TestAQueueForgetsWhatHasLeftIt(t *testing.T) {
	t.Parallel()
	var q queue
	var all []*job
	for i, w := range append(burst("/f", 20), waitingRun{session: "s"}, waitingRun{client: "c", script: "/f/1"}) {
		j := w.job(int64(i + 1))
		j.code = []byte("x")
		all = append(all, j)
		q.push(j)
	}
	for _, j := range all {
		q.remove(j)
		q.remove(j)
	}
	if q.len()+len(q.ids)+len(q.lines)+len(q.scripts)+len(q.needs)+q.code != 0 {
		t.Errorf("left: %+v", q)
	}
}
