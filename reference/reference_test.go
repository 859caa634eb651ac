package reference

import (
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blendtray/api"
)

// excerpt returns a part of what Blender 5.0 writes, as if a version had written it.
func excerpt(t testing.TB, version string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/5.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(text), "5.0.1", version, 1)
}

func bookOf(t testing.TB, version string) *book {
	t.Helper()
	b, err := newBook(excerpt(t, version))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAPathIsFollowedByTheClassesOfItsValues(t *testing.T) {
	t.Parallel()
	b := bookOf(t, "5.0.1")
	for asked, want := range map[string]string{
		"Object.location":                                "bpy.types.Object.location",
		"bpy.types.Object.location":                      "bpy.types.Object.location",
		`bpy.data.objects["Cube"].location`:              "bpy.types.Object.location",
		"bpy.data.objects['A.b [c]'].location":           "bpy.types.Object.location",
		"D.objects[0].location":                          "bpy.types.Object.location",
		"bpy.data.objects.new('a', None).location":       "bpy.types.Object.location",
		"bpy.data.objects.get('a').location":             "bpy.types.Object.location",
		"C.object.matrix_world.inverted()":               "mathutils.Matrix.inverted",
		"bpy.context.object.location.length":             "mathutils.Vector.length",
		"bpy.context.object.data.vertices[0].co":         "bpy.types.MeshVertex.co",
		"ob.modifiers['Subdivision'].levels":             "bpy.types.MultiresModifier.levels",
		"bpy.ops.mesh.primitive_cube_add(size=2)":        "bpy.ops.mesh.primitive_cube_add",
		`scene.render.engine = "CYCLES"`:                 "bpy.types.RenderSettings.engine",
		`ShaderNodeBsdfPrincipled.inputs["Coat Weight"]`: `bpy.types.ShaderNodeBsdfPrincipled.inputs["Coat Weight"]`,
		"Mesh": "bpy.types.Mesh",
	} {
		found := b.answer(api.ReferenceQuery{Path: asked})
		if len(found.Entries) == 0 || found.Entries[0].Path != want {
			t.Errorf("%s leads to %+v, want %s", asked, found, want)
		}
	}
	for _, asked := range []string{"", ".", "[", "]", "a[", "((", "Object..", "Object.[", `x["`, strings.Repeat("a.", 400), "\x00", "é.ü"} {
		if found := b.answer(api.ReferenceQuery{Path: asked + "?"}); len(found.Entries) > 0 {
			t.Errorf("%q leads to %+v", asked, found.Entries)
		}
	}
	if found := b.answer(api.ReferenceQuery{Path: "Object.locaton"}); !slices.Contains(found.Similar, "bpy.types.Object.location") {
		t.Errorf("a slip of the pen leads to %q", found.Similar)
	}
}

func TestWordsFindWhatIsCalledSoFirst(t *testing.T) {
	t.Parallel()
	b := bookOf(t, "5.0.1")
	for words, want := range map[string]string{
		"how do I add a cube":   "bpy.ops.mesh.primitive_cube_add",
		"smooth shading object": "bpy.ops.object.shade_smooth",
		"engine":                "bpy.types.RenderSettings.engine",
		"LOCATION of objects":   "bpy.types.Object.location",
	} {
		found, total := b.search(words, 5)
		if total == 0 || found[0].path != want {
			t.Errorf("%q finds %v of %d, want %s first", words, found, total, want)
		}
	}
	if found, total := b.search("the of a", 5); total != 0 {
		t.Errorf("words that say nothing find %v", found)
	}
}

func TestNamesOfEachVersionLeadToThoseOfTheBlenderThatIsAsked(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ version, asked, want string }{
		{"4.1.0", `scene.render.engine = "BLENDER_EEVEE_NEXT"`, `"BLENDER_EEVEE"`},
		{"4.2.1 LTS", `scene.render.engine = 'BLENDER_EEVEE'`, "'BLENDER_EEVEE_NEXT'"},
		{"4.2.1 LTS", `scene.render.engine = "BLENDER_EEVEE_NEXT"`, ""},
		{"5.0.1", `scene.render.engine = "BLENDER_EEVEE_NEXT"`, "'BLENDER_EEVEE'"},
		{"5.0.1", `scene.render.engine = "BLENDER_EEVEE"`, ""},
		{"5.0.1", "context_override", "with bpy.context.temp_override(object=ob): bpy.ops.…()"},
		{"5.0.1", "Object.select", "ob.select_set(True), ob.select_get()"},
		{"5.0.1", "Object.location", ""},
		{"2.79.7", "Object.select", ""},
	} {
		found := bookOf(t, x.version).answer(api.ReferenceQuery{Path: x.asked})
		if x.want == "" && len(found.Replaced) > 0 || x.want != "" && (len(found.Replaced) == 0 || found.Replaced[0].New != x.want) {
			t.Errorf("Blender %s, %s: %+v, want %q", x.version, x.asked, found.Replaced, x.want)
		}
	}
	found := bookOf(t, "5.0.1").answer(api.ReferenceQuery{Words: "use_auto_smooth of a mesh"})
	if len(found.Replaced) == 0 || found.Replaced[0].Since != "4.1" {
		t.Errorf("a name among words: %+v", found.Replaced)
	}
}

func TestTheTableOfChangesIsSound(t *testing.T) {
	t.Parallel()
	count := 0
	for _, c := range changes {
		count += len(c.old)
		if len(c.old) == 0 || c.use == "" || len(c.paths) == 0 || before(c.since, "2.80") || c.until != "" && !before(c.since, c.until) || c.from != "" && !before(c.from, c.since) {
			t.Errorf("%+v", c)
		}
	}
	if count < 60 {
		t.Errorf("it has %d names", count)
	}
	// The excerpt has what the changes lead to in 5.0, and none of what is gone.
	b := bookOf(t, "5.0.1")
	for _, c := range changes {
		if !c.appliesTo("5.0.1") || strings.HasPrefix(c.paths[0], `"`) {
			continue
		}
		if len(b.existing(c.paths)) == 0 {
			t.Errorf("%s leads to %s, and Blender 5.0 has none of that", c.old, c.paths)
		}
		for _, old := range c.old {
			if b.has(old) {
				t.Errorf("%s is gone since %s, and Blender 5.0 has it", old, c.since)
			}
		}
	}
}

// writer writes the excerpt as a Blender would, and counts how often.
type writer struct {
	t     testing.TB
	count atomic.Int32
	wait  chan struct{} // where it is there, writing waits for it
	fails error
}

func (w *writer) write(ctx context.Context, _, to string) error {
	w.count.Add(1)
	if w.wait != nil {
		select {
		case <-w.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.fails != nil {
		return w.fails
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	defer z.Close()
	_, err = z.Write([]byte(excerpt(w.t, "5.0.1")))
	return err
}

func aProgram(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "blender")
	if err := os.WriteFile(program, []byte("first"), 0o700); err != nil {
		t.Fatal(err)
	}
	return program
}

func TestAnAPIIsWrittenOnceForABuildAndGoesFromMemory(t *testing.T) {
	t.Parallel()
	w, program := &writer{t: t, wait: make(chan struct{})}, aProgram(t)
	dir := t.TempDir()
	l := New(Config{Dir: dir, Write: w.write, Rest: time.Millisecond})
	defer l.Close()
	query := api.ReferenceQuery{Path: "Object.location"}
	// A client that gives up does not end the writing, for which others wait.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Ask(gone, program, query); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	answers := make(chan error)
	for range 10 {
		go func() {
			found, err := l.Ask(t.Context(), program, query)
			if err == nil && len(found.Entries) != 1 {
				err = errors.New("nothing was found")
			}
			answers <- err
		}()
	}
	close(w.wait)
	for range 10 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count.Load(); n != 1 {
		t.Errorf("it was written %d times", n)
	}
	deadline := time.Now().Add(20 * time.Second)
	for l.inMemory() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("an API that nobody asks for stays in memory")
		}
		time.Sleep(time.Millisecond)
	}
	// It is read again from the folder; a file that is damaged, and another build, are written anew.
	if _, err := l.Ask(t.Context(), program, query); err != nil || w.count.Load() != 1 {
		t.Errorf("read again: %v, written %d times", err, w.count.Load())
	}
	if err := os.WriteFile(program, []byte("another build"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Ask(t.Context(), program, query); err != nil || w.count.Load() != 2 {
		t.Errorf("another build: %v, written %d times", err, w.count.Load())
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.gz"))
	for _, file := range files {
		if err := os.WriteFile(file, []byte("\x1f\x8bhalf"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := New(Config{Dir: dir, Write: w.write})
	defer other.Close()
	if _, err := other.Ask(t.Context(), program, query); err != nil || w.count.Load() != 3 {
		t.Errorf("a damaged file: %v, written %d times", err, w.count.Load())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "part-*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// inMemory returns how many APIs are in memory.
func (l *Library) inMemory() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.copies)
}

func TestAFailureIsTriedAgainAndWhatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	w, program := &writer{t: t, fails: errors.New("no memory")}, aProgram(t)
	l := New(Config{Dir: t.TempDir(), Write: w.write})
	defer l.Close()
	for n := range int32(2) {
		if _, err := l.Ask(t.Context(), program, api.ReferenceQuery{Words: "cube"}); err == nil || !strings.Contains(err.Error(), "no memory") {
			t.Errorf("the error is %v", err)
		}
		if w.count.Load() != n+1 {
			t.Errorf("tried %d times", w.count.Load())
		}
	}
	for _, q := range []api.ReferenceQuery{{}, {Path: "a", Words: "b"}, {Path: "a", Max: -1}, {Path: "a", Max: 5000}, {Words: strings.Repeat("a", 2000)}} {
		if _, err := l.Ask(t.Context(), program, q); !errors.Is(err, api.ErrBad) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestMemoryHasFewBuildsAtOnce(t *testing.T) {
	t.Parallel()
	w := &writer{t: t}
	l := New(Config{Dir: t.TempDir(), Write: w.write})
	defer l.Close()
	for range 2 * inMemory {
		if _, err := l.Ask(t.Context(), aProgram(t), api.ReferenceQuery{Path: "Mesh"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.inMemory(); n > inMemory {
		t.Errorf("%d are in memory", n)
	}
}
