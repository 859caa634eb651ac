//go:build !headless

package tray

import (
	"path/filepath"
	"slices"
	"strings"

	"blendtray/api"
)

// shot is a picture that the gallery shows: a file that a run has made, or the preview of the scene that
// a run has left.
type shot struct {
	run  *api.Run // without its output; shots of one run share it
	path string
	// output is the index of the file in the outputs of the run, scenePreview or largePreview.
	output int
	// live is true for the picture of a render that goes on.
	live bool
	// replaced is the id of the newest run that has written over the file, or "".
	replaced string
}

// These are the outputs of shots that are pictures of a scene: of the preview that the engine makes by
// itself, and of the picture that a person has asked for, which is in no list.
const (
	scenePreview = -1
	largePreview = -2
)

// isPreview reports whether the shot shows the scene that a run has left, or the render of a run that goes on.
func (s shot) isPreview() bool { return s.output < 0 }

// same reports whether two shots are the same picture of the same run.
func (s shot) same(other shot) bool {
	return s.run != nil && other.run != nil && s.run.ID == other.run.ID && s.output == other.output
}

// name returns the name of the picture to show.
func (s shot) name() string {
	if s.isPreview() {
		return ""
	}
	return filepath.Base(s.path)
}

// made reports whether the picture is seen as a thumbnail that Blender makes: the window does not read
// the format of the file, or the file has another picture by now.
func (s shot) made() bool {
	return !s.isPreview() && (s.replaced != "" || api.PictureKindOf(s.path) != api.PlainPicture)
}

// shotKind is a choice of kinds of shots.
type shotKind int

// The values of [shotKind].
const (
	allShots shotKind = iota
	renderShots
	previewShots
)

// gallery is the list of pictures that the window knows, newest run first. It asks for no runs itself.
type gallery struct {
	text string // what is searched for, in lower case
	kind shotKind

	all     []shot // of every known run
	visible []shot // those that match
	// before is the id of the oldest run that is known, and complete is true when there is no older run.
	before   string
	complete bool
	// owner has the newest run that has written a file. Earlier pictures with the same path are gone.
	owner map[string]string
}

// reset forgets all runs.
func (g *gallery) reset() {
	g.all, g.visible, g.before, g.complete, g.owner = nil, nil, "", false, map[string]string{}
}

// shotsOf returns the pictures of a run, in the order of the gallery.
func shotsOf(r api.Run) (shots []shot) {
	r.Output = ""
	for i, path := range r.Outputs {
		if api.PictureKindOf(path) != api.NoPicture {
			shots = append(shots, shot{run: &r, path: path, output: i})
		}
	}
	if r.Preview != "" {
		shots = append(shots, shot{run: &r, path: r.Preview, output: scenePreview, live: !r.State.Final()})
	}
	return shots
}

// add adds a page of runs that are older than those before.
func (g *gallery) add(page []api.Run, full int) {
	g.complete = len(page) < full
	for _, r := range page {
		g.put(r)
		if g.before == "" || newer(g.before, r.ID) {
			g.before = r.ID
		}
	}
	g.choose()
}

// update puts a run that has changed where it belongs, and reports whether the gallery has changed.
// Runs that are older than those in the gallery come with their page.
func (g *gallery) update(r api.Run) bool {
	if g.before != "" && newer(g.before, r.ID) || g.before == "" && !g.complete {
		return false
	}
	if !g.put(r) {
		return false
	}
	g.choose()
	return true
}

// put puts the pictures of a run into the list of all, in the place of those that were there. It
// reports whether there were or are any.
func (g *gallery) put(r api.Run) bool {
	from, _ := slices.BinarySearchFunc(g.all, r.ID, func(s shot, id string) int {
		switch {
		case s.run.ID == id:
			return 0
		case newer(s.run.ID, id):
			return -1
		}
		return 1
	})
	to := from
	for to < len(g.all) && g.all[to].run.ID == r.ID {
		to++
	}
	shots := shotsOf(r)
	g.all = slices.Replace(g.all, from, to, shots...)
	for _, s := range shots {
		if was := g.owner[s.path]; !s.isPreview() && (was == "" || newer(r.ID, was)) {
			g.owner[s.path] = r.ID
		}
	}
	return to > from || len(shots) > 0
}

// choose makes the list of the pictures that match.
func (g *gallery) choose() {
	g.visible = g.visible[:0:0]
	for i := range g.all {
		g.all[i].replaced = g.replacedBy(g.all[i])
		s := g.all[i]
		if g.fits(s) {
			g.visible = append(g.visible, s)
		}
	}
}

func (g *gallery) fits(s shot) bool {
	preview := s.isPreview()
	if g.kind == renderShots && preview && !s.live || g.kind == previewShots && !preview {
		return false
	}
	return g.text == "" || strings.Contains(strings.ToLower(s.run.Script), g.text) ||
		!preview && strings.Contains(strings.ToLower(filepath.Base(s.path)), g.text)
}

// replacedBy returns the id of the newest run that has written the file of a shot after the shot's run,
// or "".
func (g *gallery) replacedBy(s shot) string {
	if by := g.owner[s.path]; !s.isPreview() && by != "" && by != s.run.ID {
		return by
	}
	return ""
}

// find returns the shot that is the same picture of the same run as it is now, and whether it is there.
func (g *gallery) find(of shot) (shot, bool) {
	i := slices.IndexFunc(g.all, of.same)
	if i < 0 {
		return of, false
	}
	return g.all[i], true
}

// successor returns the picture of a run that has ended in the place of the one that was shown while the
// run rendered: the file that was shown last, else the last file, else the preview.
func (g *gallery) successor(live shot) (found shot, there bool) {
	for _, s := range g.all {
		if s.run.ID != live.run.ID || s.isPreview() && there {
			continue
		}
		found, there = s, true
		if s.path == live.path {
			return found, true
		}
	}
	return found, there
}

// sequence returns the pictures between which the viewer steps: those that match of the same script, the
// newest run first.
func (g *gallery) sequence(of shot) (shots []shot) {
	for _, s := range g.all {
		if s.run.Script == of.run.Script && (g.fits(s) || s.same(of)) {
			shots = append(shots, s)
		}
	}
	return shots
}

// earlier returns the same picture of the run before of the same script that has it: the file with the
// same name, or where there is none, the file in the same place; the preview of a preview.
func (g *gallery) earlier(of shot) (shot, bool) {
	var place *shot
	run := ""
	for _, s := range g.all {
		if s.run.Script != of.run.Script || !newer(of.run.ID, s.run.ID) || s.isPreview() != of.isPreview() {
			continue
		}
		if run != "" && run != s.run.ID {
			break // an earlier run
		}
		run = s.run.ID
		if s.isPreview() || filepath.Base(s.path) == filepath.Base(of.path) {
			return s, true
		}
		if s.output == of.output {
			place = &s
		}
	}
	if place == nil {
		return shot{}, false
	}
	return *place, true
}
