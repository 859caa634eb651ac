package reference

import (
	"cmp"
	"slices"
	"strings"

	"blendtray/spelling"
)

// resolved is what became of a path.
type resolved struct {
	entries []entry
	// owner is the class in which missing was looked for, or ""; missing is the first name that was not
	// found, "" where all were.
	owner, missing string
	// canonical is the path with the classes of its values in the place of what leads there, as in
	// "Scene.objects.link"; what was not found stands behind it.
	canonical string
}

// roots are where paths begin that are no modules, and the classes of what stands there.
var roots = map[string]string{
	"bpy.data": "BlendData", "bpy.context": "Context", "context": "Context", "C": "Context", "D": "BlendData",
	"bpy.app.handlers": "", "bpy.context.scene": "",
}

// usual are the names that scripts usually give to values, and the classes of these values.
var usual = map[string]string{
	"ob": "Object", "obj": "Object", "object": "Object", "cube": "Object", "empty": "Object",
	"scene": "Scene", "scn": "Scene", "mesh": "Mesh", "me": "Mesh", "mat": "Material", "material": "Material",
	"cam": "Camera", "camera": "Camera", "light": "Light", "lamp": "Light", "world": "World", "action": "Action",
	"img": "Image", "image": "Image", "tex": "Texture", "texture": "Texture", "curve": "Curve", "spline": "Spline",
	"col": "Collection", "coll": "Collection", "collection": "Collection", "mod": "Modifier", "modifier": "Modifier",
	"node": "Node", "nodes": "Nodes", "links": "NodeLinks", "tree": "NodeTree", "node_tree": "NodeTree", "bsdf": "ShaderNodeBsdfPrincipled",
	"principled": "ShaderNodeBsdfPrincipled", "arm": "Armature", "armature": "Armature", "bone": "Bone", "pbone": "PoseBone",
	"fcurve": "FCurve", "fcu": "FCurve", "layout": "UILayout", "render": "RenderSettings", "view_layer": "ViewLayer",
	"depsgraph": "Depsgraph", "constraint": "Constraint", "con": "Constraint", "vertex": "MeshVertex", "polygon": "MeshPolygon",
	"prefs": "Preferences", "preferences": "Preferences", "wm": "WindowManager", "window": "Window", "area": "Area", "region": "Region",
	"strip": "Strip", "eevee": "SceneEEVEE", "cycles": "CyclesRenderSettings",
}

// link is one part of a path: a name, or a key in brackets.
type link struct {
	name string
	key  bool // then the name is the text in the brackets
}

// links returns the parts of a path, without calls and their arguments, and without what stands behind an
// assignment.
func links(path string) (all []link) {
	name := ""
	flush := func() {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, link{name: name})
		}
		name = ""
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; c {
		case '.':
			flush()
		case '(':
			flush()
			i = closing(path, i)
		case '[':
			flush()
			end := closing(path, i)
			if end > i+1 {
				all = append(all, link{strings.Trim(strings.TrimSpace(path[i+1:min(end, len(path))]), `'"`), true})
			}
			i = end
		case '=', '\n', ';', '#':
			flush()
			return all
		default:
			name += string(c)
		}
	}
	flush()
	return all
}

// closing returns where the bracket at a place closes, or the end of the path.
func closing(path string, at int) int {
	depth := 0
	for i := at; i < len(path); i++ {
		switch path[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(path)
}

// join writes links as a path.
func join(all []link) string {
	var b strings.Builder
	for i, l := range all {
		switch {
		case l.key:
			b.WriteString(`["` + l.name + `"]`)
		case i > 0:
			b.WriteString("." + l.name)
		default:
			b.WriteString(l.name)
		}
	}
	return b.String()
}

// place is where a walk along a path stands.
type place struct {
	path  string // of the entry, "" where the value has none
	class string // whose members come next
	many  bool   // it is a collection of values of the class
	own   string // the class of the collection itself
}

// resolve follows a path from name to name, by the classes of the values.
func (b *book) resolve(path string) resolved {
	all := links(path)
	if len(all) == 0 {
		return resolved{canonical: path}
	}
	at, rest, ok := b.begin(all)
	if !ok {
		return resolved{missing: all[0].name, canonical: join(all)}
	}
	for i, l := range rest {
		next := b.step(at, l)
		if len(next) == 0 {
			owner := cmp.Or(at.class, at.path)
			return resolved{owner: owner, missing: l.name, canonical: b.canonical(at, rest[i:])}
		}
		if i == len(rest)-1 && len(next) > 1 {
			out := resolved{canonical: b.canonical(next[0], nil)}
			for _, n := range next {
				if e, ok := b.find(n.path); ok {
					out.entries = append(out.entries, e)
				}
			}
			return out
		}
		at = next[0]
	}
	out := resolved{canonical: b.canonical(at, nil)}
	target := at.path
	if e, ok := b.find(target); ok {
		out.entries = []entry{e}
	}
	// What a path leads to is told with its class, whose members are what comes next.
	if at.class != "" && at.path != types+at.class && len(out.entries) == 1 && out.entries[0].kind == "property" && !at.many {
		if e, ok := b.find(types + at.class); ok {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

// canonical returns a place and what stands behind it as a path that begins with a class.
func (b *book) canonical(at place, rest []link) string {
	begin := strings.TrimPrefix(at.path, types)
	if begin == "" || !at.many && at.class != "" && len(rest) > 0 {
		begin = cmp.Or(at.class, begin)
	}
	if len(rest) == 0 {
		return begin
	}
	tail := join(rest)
	if rest[0].key {
		return begin + tail
	}
	return begin + "." + tail
}

// begin returns the place of the longest beginning of a path that is known, and what comes behind.
func (b *book) begin(all []link) (at place, rest []link, ok bool) {
	for n := len(all); n > 0; n-- {
		head := all[:n]
		text := join(head)
		if class := roots[text]; class != "" {
			return place{class: class, path: types + class}, all[n:], true
		}
		for _, path := range []string{text, types + text} {
			if e, ok := b.find(path); ok {
				return b.placeOf(e), all[n:], true
			}
		}
	}
	if class := usual[all[0].name]; class != "" && len(all) > 1 {
		if _, ok := b.find(types + class); ok {
			return place{class: class, path: types + class}, all[1:], true
		}
	}
	return place{}, nil, false
}

// placeOf returns where a path stands that leads to an entry.
func (b *book) placeOf(e entry) place {
	p := place{path: e.path}
	switch {
	case e.kind == "class" && strings.HasPrefix(e.path, types):
		p.class = strings.TrimPrefix(e.path, types)
	case e.of != "":
		p.class, p.own = e.of, e.itself
		p.many = strings.HasPrefix(e.text, "collection") || strings.HasPrefix(e.text, "sequence")
	case e.kind == "property":
		p.path, p.class = e.path, mathClass(e.text)
	}
	return p
}

// mathClass returns the class of mathutils of which the values of a property are, or "".
func mathClass(text string) string {
	if name, ok := strings.CutPrefix(text, "mathutils."); ok {
		return "mathutils." + name
	}
	count, rest, ok := strings.Cut(strings.TrimPrefix(text, "float array of "), ",")
	if !ok || !strings.HasPrefix(text, "float array of ") {
		return ""
	}
	kind, _, _ := strings.Cut(strings.TrimSpace(rest), ",")
	switch {
	case strings.Contains(count, " x "):
		return "mathutils.Matrix"
	case strings.HasPrefix(kind, "euler"):
		return "mathutils.Euler"
	case strings.HasPrefix(kind, "quaternion"):
		return "mathutils.Quaternion"
	case strings.HasPrefix(kind, "color") && strings.HasPrefix(count, "3"):
		return "mathutils.Color"
	case slices.Contains([]string{"translation", "direction", "velocity", "acceleration", "xyz", "xyz length", "coordinates"}, kind):
		return "mathutils.Vector"
	}
	return ""
}

// step returns the places to which a link leads from a place. Several are the same name in classes that
// inherit from the one that is known.
func (b *book) step(at place, l link) []place {
	if l.key {
		return b.stepKey(at, l)
	}
	if at.many {
		for _, class := range append(b.bases(at.own), "bpy_prop_collection") {
			if e, ok := b.find(types + class + "." + l.name); ok {
				p := b.placeOf(e)
				if p.class == "" && slices.Contains([]string{"get", "pop"}, l.name) {
					p.class = at.class
				}
				return []place{p}
			}
		}
		return nil
	}
	if at.class == "" {
		if e, ok := b.find(at.path + "." + l.name); ok {
			return []place{b.placeOf(e)}
		}
		return nil
	}
	if strings.HasPrefix(at.class, "mathutils.") {
		if e, ok := b.find(at.class + "." + l.name); ok {
			return []place{b.placeOf(e)}
		}
		return nil
	}
	for _, class := range b.bases(at.class) {
		if e, ok := b.find(types + class + "." + l.name); ok {
			return []place{b.placeOf(e)}
		}
	}
	if e, ok := b.find(types + "bpy_struct." + l.name); ok {
		return []place{b.placeOf(e)}
	}
	return b.inHeirs(at.class, l.name)
}

// stepKey returns the place to which a key leads: an item of a collection, or a socket of a node.
func (b *book) stepKey(at place, l link) []place {
	// The sockets of a node are below its own class, which the path has lost when it names inputs.
	if e, ok := b.find(at.path + `["` + l.name + `"]`); ok {
		return []place{b.placeOf(e)}
	}
	if at.many {
		return []place{{class: at.class, path: types + at.class}}
	}
	if strings.HasPrefix(at.class, "mathutils.") {
		return []place{{path: at.path}}
	}
	return nil
}

// maxHeirs is how many classes are named that have a name of a path.
const maxHeirs = 8

// inHeirs returns the places of a name in the classes that inherit from a class.
func (b *book) inHeirs(class, name string) (all []place) {
	heirs := b.heirs()
	waiting := slices.Clone(heirs[class])
	for len(waiting) > 0 && len(all) < maxHeirs {
		next := waiting[0]
		waiting = append(waiting[1:], heirs[next]...)
		if e, ok := b.find(types + next + "." + name); ok {
			all = append(all, b.placeOf(e))
		}
	}
	return all
}

// similar returns the paths of entries with a name like the one that was not found: those of its owner
// first.
func (b *book) similar(found resolved, most int) (all []string) {
	wanted := lower(found.missing)
	if wanted == "" {
		return nil
	}
	type near struct {
		path string
		away int
	}
	var near1 []near
	consider := func(path, name string, malus int) {
		if away, ok := distance(wanted, lower(name)); ok {
			near1 = append(near1, near{path, away + malus})
		}
	}
	for _, class := range b.bases(found.owner) {
		for _, e := range b.membersOf(types + class) {
			consider(e.path, e.path[strings.LastIndexByte(e.path, '.')+1:], 0)
		}
	}
	if found.owner != "" && !strings.HasPrefix(found.owner, types) {
		for _, e := range b.membersOf(found.owner) {
			consider(e.path, e.path[strings.LastIndexByte(e.path, '.')+1:], 0)
		}
	}
	// The same name elsewhere.
	b.eachWith(b.lowered(), wanted, func(i int) {
		path := b.path(i)
		if name := path[strings.LastIndexByte(path, '.')+1:]; lower(name) == wanted {
			near1 = append(near1, near{path, 2})
		}
	})
	slices.SortFunc(near1, func(x, y near) int {
		return cmp.Or(x.away-y.away, len(x.path)-len(y.path), cmp.Compare(x.path, y.path))
	})
	for _, n := range near1 {
		if !slices.Contains(all, n.path) && len(all) < most {
			all = append(all, n.path)
		}
	}
	return all
}

// distance returns how far one name is from another, 0 to 3, and false when they are not alike.
func distance(wanted, name string) (int, bool) {
	switch {
	case wanted == name:
		return 0, true
	case len(wanted) >= 4 && (strings.Contains(name, wanted) || len(name) >= 4 && strings.Contains(wanted, name)):
		return 1, true
	}
	if d := spelling.Distance(wanted, name); d <= max(1, len(wanted)/4) {
		return 1 + min(d, 2), true
	}
	return 0, false
}
