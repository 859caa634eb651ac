package mcp

import (
	"strings"

	"blendtray/api"
)

// hints are what helps against an error of a kind. The first that fits is given.
var hints = []struct {
	kind string // the type of the error, or ""
	says string // a part of the message, or ""
	hint string
}{
	{"NameError", "'bpy'", "begin with `import bpy`"},
	{"NameError", "", "names live as long as the session; a new session, restore and a crash do not keep them"},
	{"ReferenceError", "StructRNA", "the object is gone or was replaced by restore or open: look it up again, such as bpy.data.objects[NAME]"},
	{"KeyError", "bpy_prop_collection", "scene_summary lists the names that there are"},
	{"", "No module named 'numpy'", "this part of Blender needs numpy, which is not installed (Debian: python3-numpy); obj, stl and usd need none"},
	{"RuntimeError", "OpenImageDenoiser", "this Blender can't denoise: set scene.cycles.use_denoising = False"},
	{"RuntimeError", "poll() failed", "the operator needs another context: set the active object and the mode, use bpy.context.temp_override(...), or work on bpy.data without an operator"},
	{"RuntimeError", "context is incorrect", "the operator needs another context: use bpy.context.temp_override(...), or work on bpy.data without an operator"},
	{"AttributeError", "", "the name may be another in this version of Blender: ask api_docs for it"},
	{"TypeError", "keyword", "the arguments may be others in this version of Blender: ask api_docs for them"},
	{"TypeError", "enum", "ask api_docs which values this version of Blender has"},
	{"ModuleNotFoundError", "", "Blender's Python has only what Blender brings and what lies beside the script"},
	{"IncompleteInput", "", "the code ends in the middle of a statement"},
	{"TimeLimit", "", "pass a longer time_limit, or do less at a time"},
	{"Crash", "", "Blender has crashed and is there again; restore goes back to the last checkpoint"},
	{"MemoryError", "", "use less at a time: fewer subdivisions, smaller textures"},
	{api.Refused, "sessions", "the tool sessions lists the sessions, and can end those that are not needed"},
}

// hintFor returns what helps against the error of a run, or "".
func hintFor(run api.Run) string {
	for _, h := range hints {
		if (h.kind == "" || h.kind == run.Error.Type) && strings.Contains(run.Error.Message, h.says) {
			return h.hint
		}
	}
	return ""
}
