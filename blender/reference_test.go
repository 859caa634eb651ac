//go:build unix

package blender

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/reference"
)

// livesNames has a Blender print 200 names of its API with what it says of each, as JSON. It takes other
// ways to them than reference.py does: from objects that are there, and by what Python finds.
const livesNames = `
import bpy, json, random, mathutils, bmesh
random.seed(7)
facts = []
for owner in (bpy.data.objects[0], bpy.context.scene, bpy.data.meshes[0], bpy.data.materials[0], bpy.data.cameras[0].dof,
              bpy.context.scene.render, bpy.context.view_layer, bpy.data.objects["Cube"].data.vertices[0]):
    for name in sorted(set(dir(owner))):
        prop = owner.bl_rna.properties.get(name)
        if prop is not None and name != "rna_type" and not prop.is_runtime:
            facts.append([type(owner).__name__ + "." + name, prop.type, prop.is_readonly])
operators = [f"bpy.ops.{m}.{n}" for m in ("mesh", "object", "curve", "node", "wm", "transform") for n in dir(getattr(bpy.ops, m))]
facts = random.sample(facts, 120)
facts += [[name, "OPERATOR", False] for name in random.sample(sorted(operators), 40)]
facts += [["mathutils." + c + "." + n, "FUNCTION", False] for c in ("Vector", "Matrix") for n in dir(getattr(mathutils, c))
          if not n.startswith("_") and len(n) > 4 and callable(getattr(getattr(mathutils, c), n))][:20]
facts += [["bmesh.ops." + n, "FUNCTION", False] for n in dir(bmesh.ops) if not n.startswith("_")][:20]
print("FACTS" + json.dumps([facts, bpy.app.version_string]))
`

// renamed are names that versions of Blender have replaced, the version, and an entry about what to write
// instead.
var renamed = [][3]string{
	{"bpy.context.scene.objects.link", "2.80", "bpy.types.CollectionObjects.link"},
	{"bpy.context.scene.objects.active = ob", "2.80", "bpy.types.LayerObjects.active"},
	{"obj.select = True", "2.80", "bpy.types.Object.select_set"},
	{"ob.hide", "2.80", "bpy.types.Object.hide_set"},
	{"Object.draw_type", "2.80", "bpy.types.Object.display_type"},
	{"bpy.context.object.show_x_ray", "2.80", "bpy.types.Object.show_in_front"},
	{"bpy.data.objects['a'].dupli_group", "2.80", "bpy.types.Object.instance_collection"},
	{"bpy.data.lamps.new", "2.80", "bpy.types.BlendData.lights"},
	{"bpy.data.groups", "2.80", "bpy.types.BlendData.collections"},
	{"bpy.ops.object.lamp_add(type='SUN')", "2.80", "bpy.ops.object.light_add"},
	{"bpy.context.scene.update()", "2.80", "bpy.types.ViewLayer.update"},
	{"scene.cursor_location", "2.80", "bpy.types.View3DCursor.location"},
	{"bpy.context.user_preferences.addons", "2.80", "bpy.types.Context.preferences"},
	{"bpy.context.scene.world.horizon_color", "2.80", "bpy.types.World.color"},
	{"bpy.context.object.data.uv_textures", "2.80", "bpy.types.Mesh.uv_layers"},
	{"bpy.types.INFO_MT_file_export", "2.80", "bpy.types.TOPBAR_MT_file_export"},
	{"bpy.utils.register_module(__name__)", "2.80", "bpy.utils.register_class"},
	{"bpy.app.handlers.scene_update_post", "2.80", "bpy.app.handlers.depsgraph_update_post"},
	{"bpy.context.camera.dof_object", "2.80", "bpy.types.CameraDOFSettings.focus_object"},
	{"bpy.ops.wm.addon_enable", "2.80", "bpy.ops.preferences.addon_enable"},
	{"ob.cycles_visibility.camera", "3.0", "bpy.types.Object.visible_camera"},
	{"bpy.ops.object.proxy_make", "3.2", "bpy.ops.object.make_override_library"},
	{"bpy.ops.export_scene.obj(filepath='a.obj')", "4.0", "bpy.ops.wm.obj_export"},
	{"mesh.calc_normals()", "4.0", "bpy.types.Mesh.vertex_normals"},
	{"bone.layers", "4.0", "bpy.types.Bone.collections"},
	{`mat.node_tree.nodes["Principled BSDF"].inputs["Specular"].default_value`, "4.0", `bpy.types.ShaderNodeBsdfPrincipled.inputs["Specular IOR Level"]`},
	{`bsdf.inputs["Emission"]`, "4.0", `bpy.types.ShaderNodeBsdfPrincipled.inputs["Emission Color"]`},
	{"bpy.context.object.data.use_auto_smooth", "4.1", "bpy.types.Mesh.set_sharp_from_angle"},
	{"ShaderNodeTexMusgrave", "4.1", "bpy.types.ShaderNodeTexNoise"},
	{"bpy.ops.import_mesh.stl", "4.2", "bpy.ops.wm.stl_import"},
	{"action.fcurves", "5.0", "bpy.types.ActionChannelbag.fcurves"},
	{"bgl.glEnable(bgl.GL_BLEND)", "3.5", "gpu.state"},
	{"bpy.context.scene.node_tree", "5.0", "bpy.types.Scene.compositing_node_group"},
	{"bpy.context.scene.eevee.use_bloom", "4.3", "bpy.types.CompositorNodeGlare"},
	{"bpy.context.scene.sequence_editor.sequences", "5.0", "bpy.types.SequenceEditor.strips"},
}

// libraryOf returns the API of the Blender on the PATH, and that Blender.
func libraryOf(t *testing.T) (*reference.Library, string) {
	t.Helper()
	program, err := exec.LookPath("blender")
	if err != nil {
		t.Fatal(err)
	}
	l := reference.New(reference.Config{Dir: filepath.Join(t.TempDir(), "api"), Write: WriteReference})
	t.Cleanup(l.Close)
	return l, program
}

func TestTheAPIOfABlenderIsWhatItSaysItselfAndNamesThatAreGoneLeadOn(t *testing.T) {
	t.Parallel()
	l, program := libraryOf(t)
	script := filepath.Join(t.TempDir(), "names.py")
	if err := os.WriteFile(script, []byte(livesNames), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "--background", "--factory-startup", "--python", script).CombinedOutput()
	_, text, ok := strings.Cut(string(out), "FACTS")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out)
	}
	text, _, _ = strings.Cut(text, "\n")
	var printed []json.RawMessage
	var facts [][]any
	var version string
	for _, decode := range []func() error{
		func() error { return json.Unmarshal([]byte(text), &printed) },
		func() error { return json.Unmarshal(printed[0], &facts) },
		func() error { return json.Unmarshal(printed[1], &version) },
	} {
		if err := decode(); err != nil {
			t.Fatal(err)
		}
	}
	if len(facts) < 200 {
		t.Fatalf("Blender has said %d names", len(facts))
	}
	for _, fact := range facts {
		path, kind, readOnly := fact[0].(string), fact[1].(string), fact[2].(bool)
		found, err := l.Ask(t.Context(), program, api.ReferenceQuery{Path: path})
		switch {
		case err != nil:
			t.Fatal(err)
		case found.Version != version:
			t.Fatalf("the API is that of %s, and Blender is %s", found.Version, version)
		case len(found.Entries) == 0:
			t.Errorf("%s is not there", path)
		case !saysSo(found.Entries[0], kind, readOnly):
			t.Errorf("%s is %s, read-only %t: %+v", path, kind, readOnly, found.Entries[0])
		}
	}
	for _, r := range renamed {
		old, since, path := r[0], r[1], r[2]
		found, err := l.Ask(t.Context(), program, api.ReferenceQuery{Path: old})
		switch {
		case err != nil:
			t.Fatal(err)
		case !isBefore(version, since):
			if !slices.ContainsFunc(found.Replaced, func(x api.Replacement) bool { return slices.Contains(x.Paths, path) }) {
				t.Errorf("%s is gone since %s and does not lead to %s: %+v", old, since, path, found)
			}
		case len(found.Entries) == 0:
			t.Errorf("%s is not there before %s: %+v", old, since, found)
		}
	}
}

// saysSo reports whether an entry says what Blender has said: a kind of property, or what can be called.
func saysSo(entry api.ReferenceEntry, kind string, readOnly bool) bool {
	begins := map[string][]string{
		"BOOLEAN": {"bool"}, "INT": {"int"}, "FLOAT": {"float"}, "STRING": {"str"}, "ENUM": {"enum", "set of enum"},
		"COLLECTION": {"collection"}, "OPERATOR": {"bpy.ops."},
	}[kind]
	switch kind {
	case "OPERATOR":
		return entry.Kind == "operator" && strings.HasPrefix(entry.Type, entry.Path+"(")
	case "FUNCTION":
		return entry.Kind == "method" || entry.Kind == "function"
	case "POINTER":
		begins = []string{entry.Class}
	}
	return entry.Kind == "property" && strings.Contains(entry.Type, "read-only") == readOnly &&
		slices.ContainsFunc(begins, func(begin string) bool { return begin != "" && strings.HasPrefix(entry.Type, begin) })
}

// isBefore reports whether a version is older than another.
func isBefore(version, other string) bool {
	number := func(v string) float64 {
		major, rest, _ := strings.Cut(v, ".")
		minor, _, _ := strings.Cut(rest, ".")
		a, _ := strconv.Atoi(major)
		b, _ := strconv.Atoi(minor)
		return float64(a) + float64(b)/1000
	}
	return number(version) < number(other)
}

func TestABlenderThatCanNotWriteItsAPIIsTold(t *testing.T) {
	t.Parallel()
	l := reference.New(reference.Config{Dir: t.TempDir(), Write: WriteReference})
	defer l.Close()
	fake := program(t, "echo 'no display' >&2; exit 3")
	_, err := l.Ask(t.Context(), fake, api.ReferenceQuery{Path: "Object"})
	if err == nil || !strings.Contains(err.Error(), "no display") {
		t.Errorf("the error does not say what the program has printed: %v", err)
	}
	if _, err := l.Ask(t.Context(), filepath.Join(t.TempDir(), "none"), api.ReferenceQuery{Path: "Object"}); err == nil {
		t.Error("a program that is not there has an API")
	}
}
