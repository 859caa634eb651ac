package api

// SceneRequest is what a client sends to have a copy made of the scene that a run has left.
type SceneRequest struct {
	// Run is the id of the run, or "" for the last run. Of a run in a session it is the scene that the
	// session has now.
	Run string `json:"-"`
	// File is the absolute path of the copy, a .blend; "" is a file in the cache of the engine, which
	// stays for a week.
	File string `json:"file,omitempty"`
	// Again has the run made again where its scene is gone.
	Again bool `json:"again,omitempty"`
	// Client says who asks, for the history.
	Client string `json:"client,omitempty"`
}

// PreviewRequest is what a client sends to have a picture made of the scene that a run has left.
type PreviewRequest struct {
	// Run is the id of the run, or "" for the last run.
	Run string `json:"-"`
	// Engine is "workbench", "eevee" or "cycles"; "" is "cycles".
	Engine string `json:"engine,omitempty"`
	// Size is the longer side of the picture in pixels, [MinPreview] to [MaxPreview]; 0 is 1280.
	Size int `json:"size,omitempty"`
	// View is "camera", "front", "right", "top" or "three-quarter"; "" is "camera".
	View string `json:"view,omitempty"`
}

// The smallest and the largest size of a [PreviewRequest].
const (
	MinPreview = 64
	MaxPreview = 4096
)

// PreviewEngines and PreviewViews are the choices of a [PreviewRequest].
var (
	PreviewEngines = []string{"cycles", "eevee", "workbench"}
	PreviewViews   = []string{"camera", "three-quarter", "front", "right", "top"}
)

// ScenePreview is a picture of a scene.
type ScenePreview struct {
	// Run is the run that has left the scene, without its output.
	Run Run `json:"run"`
	// File is the path of the picture, a JPEG.
	File string `json:"file"`
}

// SavedScene is a copy of a scene.
type SavedScene struct {
	// Run is the run that has left the scene, without its output. Where the run of the request was made
	// again, Run is the new run.
	Run  Run    `json:"run"`
	File string `json:"file"`
	// Program is the path of the Blender that has made the copy, or "".
	Program string `json:"program"`
}
