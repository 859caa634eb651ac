//go:build !headless

package tray

import (
	"path/filepath"
	"slices"

	"blendtray/api"
)

// firstStep is how far the example of the first start has come.
type firstStep int

// The values of [firstStep].
const (
	stepEngine  firstStep = iota // no engine answers
	stepBlender                  // there is no Blender that can be started
	stepWait                     // the example has not begun
	stepRunning
	stepDone
	stepFailed
)

// stepOf returns how far the example is. r is its run, or a run without an id.
func stepOf(s State, r api.Run) firstStep {
	switch {
	case r.State == api.Succeeded:
		return stepDone
	case r.ID != "" && r.State.Final():
		return stepFailed
	case r.State == api.Running:
		return stepRunning
	case s.Link != Attached:
		return stepEngine
	case s.blender().State == api.BlenderFailed:
		return stepBlender
	}
	return stepWait
}

// pictureOf returns the path of the first picture that a run has made, or "".
func pictureOf(r api.Run) string {
	if i := slices.IndexFunc(r.Outputs, isPicture); i >= 0 {
		return r.Outputs[i]
	}
	return ""
}

// otherScript reports whether a run is of another script than the example, and has begun: then a person
// knows how it works.
func otherScript(r api.Run, example string) bool {
	return example != "" && r.Script != example && r.State != api.Queued && r.ID != ""
}

// firstFolder returns the folder in which a person saves scripts: the folder of the example, or the first
// watched folder, or "".
func firstFolder(s State, example string) string {
	if example != "" {
		return filepath.Dir(example)
	}
	return s.Folder
}

// fractionOf returns how far a run is, from 0 to 1, or -1 when it does not say.
func fractionOf(s State, r api.Run) float64 {
	i := s.indexOf(r.ID)
	if i < 0 || s.Running[i].Progress == nil {
		return -1
	}
	return min(1, s.Running[i].Progress.Fraction)
}
