package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

type openSaveExport struct {
	Action   string `json:"action"`
	File     string `json:"file" jsonschema:"path, in the workspace unless absolute"`
	Session  string `json:"session,omitempty"`
	Selected bool   `json:"selected,omitempty" jsonschema:"export only the selected objects"`
}

// The actions of open_save_export.
const (
	actOpen   = "open"
	actImport = "import"
	actSave   = "save"
	actExport = "export"
)

func registerOpenSaveExport(s *Server) {
	add(s, tool[openSaveExport]{
		name:        "open_save_export",
		description: "Open or save a .blend, or import or export a file whose ending says its format (glb, gltf, fbx, obj, stl, ply, usd, abc).",
		words:       map[string][]string{"action": {actOpen, actImport, actSave, actExport}},
		changes: func(in openSaveExport) string {
			return fmt.Sprintf("%s the file %s.", in.Action, in.File)
		},
		do: doOpenSaveExport,
	})
}

func doOpenSaveExport(ctx context.Context, c *call, in openSaveExport) (*sdk.CallToolResult, error) {
	workspace, err := c.workspace()
	if err != nil {
		return nil, err
	}
	file := filepath.Clean(in.File)
	if !filepath.IsAbs(file) {
		file = filepath.Join(workspace, file)
	}
	if in.Action == actImport {
		// Some operators of Blender only print that they can't read the file, and succeed.
		if info, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("there is no file to import: %w", err)
		} else if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("there is no file to import: %s is not a file", file)
		}
	}
	find := c.session
	if in.Action == actOpen || in.Action == actImport {
		find = c.sessionOrNew
	}
	session, err := find(in.Session)
	if err != nil {
		return nil, err
	}
	if in.Action == actSave || in.Action == actExport {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
	}
	switch in.Action {
	case actOpen, actSave:
		return c.openOrSave(ctx, session, in.Action, file)
	default:
		return c.convert(ctx, session, in, file)
	}
}

// openOrSave opens a .blend in a session, or saves the scene of the session as one.
func (c *call) openOrSave(ctx context.Context, session, action, file string) (*sdk.CallToolResult, error) {
	operation, said := api.SessionOpen, "is open in"
	if action == actSave {
		operation, said = api.SessionSave, "has the scene of"
	} else if _, err := c.server.client.Session(ctx, session); err == nil {
		if _, busy, err := c.checkpointFirst(ctx, session, c.left(defaultWait*time.Second)); busy != nil || err != nil {
			return busy, err
		}
	}
	done, busy, err := c.operate(ctx, api.SessionRequest{Session: session, Operation: operation, File: file}, c.left(defaultWait*time.Second))
	if busy != nil || err != nil {
		return busy, err
	}
	res := text("%s %s session %s", file, said, session)
	res.Meta = handles(done.Run)
	return res, nil
}

// format says by which operators of Blender a kind of file is read and written. Of several the first is
// taken that the Blender has: names have changed between versions.
type format struct {
	read, write []string
	// selected is the argument of the operators that write only selected objects.
	selected map[string]string
	// more are further arguments of the operators that write.
	more map[string]any
}

var formats = map[string]format{
	"glb":  {read: []string{"import_scene.gltf"}, write: []string{"export_scene.gltf"}, selected: map[string]string{"export_scene.gltf": "use_selection"}, more: map[string]any{"export_format": "GLB"}},
	"gltf": {read: []string{"import_scene.gltf"}, write: []string{"export_scene.gltf"}, selected: map[string]string{"export_scene.gltf": "use_selection"}, more: map[string]any{"export_format": "GLTF_SEPARATE"}},
	"fbx":  {read: []string{"wm.fbx_import", "import_scene.fbx"}, write: []string{"export_scene.fbx"}, selected: map[string]string{"export_scene.fbx": "use_selection"}},
	"obj":  {read: []string{"wm.obj_import", "import_scene.obj"}, write: []string{"wm.obj_export", "export_scene.obj"}, selected: map[string]string{"wm.obj_export": "export_selected_objects", "export_scene.obj": "use_selection"}},
	"stl":  {read: []string{"wm.stl_import", "import_mesh.stl"}, write: []string{"wm.stl_export", "export_mesh.stl"}, selected: map[string]string{"wm.stl_export": "export_selected_objects", "export_mesh.stl": "use_selection"}},
	"ply":  {read: []string{"wm.ply_import", "import_mesh.ply"}, write: []string{"wm.ply_export", "export_mesh.ply"}, selected: map[string]string{"wm.ply_export": "export_selected_objects", "export_mesh.ply": "use_selection"}},
	"usd":  {read: []string{"wm.usd_import"}, write: []string{"wm.usd_export"}, selected: map[string]string{"wm.usd_export": "selected_objects_only"}},
	"abc":  {read: []string{"wm.alembic_import"}, write: []string{"wm.alembic_export"}, selected: map[string]string{"wm.alembic_export": "selected"}, more: nil},
}

func init() {
	for _, same := range []string{"usda", "usdc", "usdz"} {
		formats[same] = formats["usd"]
	}
}

// convertCode calls the first of some operators that the Blender has. %s is JSON of what to do.
const convertCode = `
import json

import bpy

todo = json.loads(%s)
for name in todo["operators"]:
    module, function = name.split(".")
    operator = getattr(getattr(bpy.ops, module), function)
    try:
        properties = operator.get_rna_type().properties
    except KeyError:
        continue
    arguments = {"filepath": todo["file"]}
    arguments.update({key: value for key, value in todo["more"].items() if key in properties})
    if todo["selected"]:
        arguments[todo["selected"][name]] = True
    if "check_existing" in properties:
        arguments["check_existing"] = False
    before = set(bpy.data.objects)
    operator(**arguments)
    new = [item.name for item in bpy.data.objects if item not in before]
    print("operator: bpy.ops." + name)
    if new:
        print("new objects:", ", ".join(new[:20]) + (", ..." if len(new) > 20 else ""))
    break
else:
    raise RuntimeError("this Blender has no operator for such files: " + ", ".join(todo["operators"]))
`

// converterName returns the name of the code that imports or exports a file.
func converterName(action string) string { return "<" + action + ">" }

// convert imports or exports a file.
func (c *call) convert(ctx context.Context, session string, in openSaveExport, file string) (*sdk.CallToolResult, error) {
	ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
	f, ok := formats[ending]
	if !ok {
		return nil, fmt.Errorf("the ending %q is of no format that can be %sed", cmp.Or(ending, "(none)"), in.Action)
	}
	todo := map[string]any{"operators": f.read, "file": file, "selected": nil, "more": map[string]any{}}
	if in.Action == actExport {
		todo["operators"] = f.write
		if f.more != nil {
			todo["more"] = f.more
		}
		if in.Selected {
			todo["selected"] = f.selected
		}
	} else if _, busy, err := c.checkpointFirst(ctx, session, c.left(defaultWait*time.Second)); busy != nil || err != nil {
		return busy, err
	}
	plan, err := json.Marshal(todo)
	if err != nil {
		return nil, err
	}
	got, err := c.submit(ctx, api.Submission{
		Code: isolated(fmt.Sprintf(convertCode, quoted(string(plan))), converterName(in.Action)),
		Name: converterName(in.Action), Session: session, Scene: "keep", Client: c.client(),
	}, c.left(defaultWait*time.Second))
	if err != nil {
		return nil, err
	}
	return answerOf(got, file), nil
}
