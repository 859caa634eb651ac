// Package cargo brings to a machine of a farm what a job needs, and brings back what the job has made. It
// finds out what a .blend or a script needs, by Blender itself; the package files carries it.
//
// On the submitter's machine, [Look] says what a .blend uses and renders, [Pack] returns the files that go
// along, and [Fetch] takes what a result brings. On the machine that executes the job, [Porter]
// is the farm worker's.
package cargo

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/farm/files"
)

// needs is the script that looks at a .blend.
//
//go:embed needs.py
var needs []byte

// Blender runs a script in a Blender without a window and returns the ended run. The submission has the
// script with its arguments.
type Blender func(ctx context.Context, s api.Submission) (api.Run, error)

// Scene is what a .blend uses and renders.
type Scene struct {
	// Blend is the absolute path of the .blend.
	Blend string `json:"-"`
	// Files are the absolute paths of what the .blend uses, with what its libraries use. Missing are those
	// of which there is no file.
	Files   []string `json:"files"`
	Missing []string `json:"missing"`
	// Absolute are the .blend files, this and libraries, that have paths which hold on this machine alone.
	Absolute []string `json:"absolute"`
	// Version is the version of the Blender that has looked.
	Version string `json:"version"`
	// Movie is true when all frames go into a single file.
	Movie bool `json:"movie"`
	// Folder is where the scene's own pictures go, and Name the last part of their pattern, such as "shot_####".
	Folder string `json:"folder"`
	Name   string `json:"name"`
	// Frames are the frames to render, in their order, each once.
	Frames []Frame `json:"frames"`
}

// Frame is a frame with the names of its pictures, of which there are several for several views.
type Frame struct {
	Number   int      `json:"number"`
	Pictures []string `json:"pictures"`
}

// order is what the script is asked.
type order struct {
	Blend  string   `json:"blend"`
	Output string   `json:"output"`
	Frames [][3]any `json:"frames"`
	Copies []pair   `json:"copies"`
	Answer string   `json:"answer"`
}

// pair is a .blend and where its copy goes.
type pair struct {
	Blend string `json:"blend"`
	To    string `json:"to"`
}

// Look opens a .blend in a Blender, without running the scripts in it, and returns what it uses and
// renders. frames are as a person writes them, none for those of the scene; output is the pattern of the
// pictures, or "" for the scene's. Look fails when the .blend can't be opened.
func Look(ctx context.Context, b Blender, blend string, frames api.Frames, output string) (Scene, error) {
	o := order{Blend: blend, Output: output, Frames: rowsOf(frames)}
	scene := Scene{Blend: blend}
	if err := ask(ctx, b, o, &scene); err != nil {
		return scene, fmt.Errorf("look what %s uses: %w", blend, err)
	}
	if i := slices.IndexFunc(scene.Frames, func(f Frame) bool { return f.Number < 0 }); i >= 0 {
		return scene, fmt.Errorf("frame %d: frames below 0 can't be spread over machines, because a minus counts from the end of a scene", scene.Frames[i].Number)
	}
	return scene, nil
}

// rowsOf returns frames as the script has them.
func rowsOf(frames api.Frames) [][3]any {
	rows := [][3]any{}
	end := func(e api.FrameEnd) any {
		if e.From == 0 {
			return e.Number
		}
		return e.String()
	}
	for _, row := range frames.Rows() {
		rows = append(rows, [3]any{end(row.First), end(row.Last), row.Step})
	}
	return rows
}

// ask runs the script with an order and reads its answer.
func ask(ctx context.Context, b Blender, o order, answer any) error {
	dir, err := os.MkdirTemp("", "blendtray-farm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.Answer = filepath.Join(dir, "answer.json")
	if o.Copies == nil {
		o.Copies = []pair{}
	}
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	question := filepath.Join(dir, "order.json")
	if err := os.WriteFile(question, data, 0o600); err != nil {
		return err
	}
	run, err := b(ctx, api.Submission{
		Code: needs, Name: "<files of " + filepath.Base(blendOf(o.Blend, o.Copies)) + ">", Dir: dir, Args: []string{question},
		Scene: "fresh", Isolation: api.IsolateProcess,
	})
	if err != nil {
		return err
	}
	if run.State != api.Succeeded {
		if run.Error != nil {
			return fmt.Errorf("run %s has %s: %s", run.ID, run.State, run.Error.Message)
		}
		return fmt.Errorf("run %s has %s", run.ID, run.State)
	}
	if data, err = os.ReadFile(o.Answer); err != nil {
		return err
	}
	return json.Unmarshal(data, answer)
}

// blendOf returns the .blend that a script is about.
func blendOf(blend string, copies []pair) string {
	if blend == "" && len(copies) > 0 {
		return copies[0].Blend
	}
	return blend
}

// Packed are the files that go along with a job.
type Packed struct {
	Sources []files.Source
	// Main is the name of the .blend or the script among them.
	Main string
}

// Pack returns the files of a scene with names by which they find each other on every machine: those below
// the deepest folder that all of them are in. A .blend with paths that hold on this machine alone is
// replaced by a copy with relative paths, which Blender makes in the folder copies and which is used again
// as long as the .blend is the same. Pack fails when files lie on several drives of Windows, which have no
// relative paths between them, and when a copy can't be made.
func Pack(ctx context.Context, b Blender, scene Scene, copies string) (Packed, error) {
	all := append([]string{scene.Blend}, scene.Files...)
	slices.Sort(all)
	all = slices.Compact(all)
	root, err := commonFolder(all)
	if err != nil {
		return Packed{}, err
	}
	instead, err := relativeCopies(ctx, b, scene, copies)
	if err != nil {
		return Packed{}, err
	}
	var p Packed
	for _, path := range all {
		name, err := filepath.Rel(root, path)
		if err != nil {
			return p, err
		}
		name = filepath.ToSlash(name)
		if path == scene.Blend {
			p.Main = name
		}
		if copied, ok := instead[path]; ok {
			path = copied
		}
		p.Sources = append(p.Sources, files.Source{Name: name, Path: path})
	}
	return p, nil
}

// commonFolder returns the deepest folder that all files are in.
func commonFolder(all []string) (string, error) {
	root := filepath.Dir(all[0])
	for _, path := range all {
		for !strings.HasPrefix(path, strings.TrimSuffix(root, string(filepath.Separator))+string(filepath.Separator)) {
			up := filepath.Dir(root)
			if up == root {
				return "", fmt.Errorf("%s and %s lie on different drives, and have no relative path to each other; bring them to one drive, or pack them into the .blend (File, External Data)", all[0], path)
			}
			root = up
		}
	}
	return root, nil
}

// copyAge is how long a copy is kept that is not used.
const copyAge = 30 * 24 * time.Hour

// relativeCopies returns the copies of .blend files whose paths hold on this machine alone.
func relativeCopies(ctx context.Context, b Blender, scene Scene, dir string) (map[string]string, error) {
	instead := map[string]string{}
	if len(scene.Absolute) == 0 {
		return instead, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	removeOld(dir)
	o := order{}
	for _, blend := range scene.Absolute {
		key, err := copyKey(blend, scene.Version)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, key+".blend")
		instead[blend] = to
		if now := time.Now(); os.Chtimes(to, now, now) != nil { // there is none yet
			o.Copies = append(o.Copies, pair{blend, to + ".new"})
		}
	}
	if len(o.Copies) == 0 {
		return instead, nil
	}
	var answer struct {
		Stuck []string `json:"stuck"`
	}
	if err := ask(ctx, b, o, &answer); err != nil {
		return nil, fmt.Errorf("make the paths of %s relative: %w", o.Copies[0].Blend, err)
	}
	if len(answer.Stuck) > 0 {
		return nil, fmt.Errorf("Blender can't make the path %s relative; pack the file into the .blend (File, External Data)", answer.Stuck[0])
	}
	for _, one := range o.Copies {
		if err := os.Rename(one.To, strings.TrimSuffix(one.To, ".new")); err != nil {
			return nil, err
		}
	}
	return instead, nil
}

// copyKey names the copy of a .blend: by its bytes, by its path, to which paths are relative, and by the Blender.
func copyKey(blend, version string) (string, error) {
	f, err := os.Open(blend)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", version, blend)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// removeOld removes copies that were not used for long. What can't be removed is tried again the next time.
func removeOld(dir string) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, d := range found {
		if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > copyAge {
			_ = os.Remove(filepath.Join(dir, d.Name()))
		}
	}
}

// maxModules is how many files go along with a script.
const maxModules = 5000

// PackScript returns a script with the modules beside it: the Python files of its folder, and the packages
// in the folder with all that is in them. extra are further files and folders below that folder, such as data
// that the script reads. PackScript fails when extra lies elsewhere, and when there are more than 5,000 files.
func PackScript(script string, extra []string) (Packed, error) {
	root := filepath.Dir(script)
	names := map[string]bool{filepath.Base(script): true}
	found, err := os.ReadDir(root)
	if err != nil {
		return Packed{}, err
	}
	for _, d := range found {
		path := filepath.Join(root, d.Name())
		switch _, err := os.Stat(filepath.Join(path, "__init__.py")); {
		case err == nil:
			if err := addBelow(names, root, path); err != nil {
				return Packed{}, err
			}
		case strings.EqualFold(filepath.Ext(path), ".py") && isFile(path):
			names[d.Name()] = true
		}
	}
	for _, path := range extra {
		if err := addBelow(names, root, path); err != nil {
			return Packed{}, err
		}
	}
	p := Packed{Main: filepath.Base(script)}
	for name := range names {
		p.Sources = append(p.Sources, files.Source{Name: filepath.ToSlash(name), Path: filepath.Join(root, name)})
	}
	if len(p.Sources) > maxModules {
		return p, fmt.Errorf("%d files go along with %s; there may be %d", len(p.Sources), script, maxModules)
	}
	slices.SortFunc(p.Sources, func(a, b files.Source) int { return strings.Compare(a.Name, b.Name) })
	return p, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// addBelow adds the names of the files at and below a path, seen from root. What Python has compiled stays
// here.
func addBelow(names map[string]bool, root, path string) error {
	if name, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(name) {
		return fmt.Errorf("%s is not below %s, the folder of the script", path, root)
	}
	return filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "__pycache__" || d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err == nil && isFile(path) {
			names[name] = true
		}
		return err
	})
}

// Skip returns the frames of a scene whose pictures are not all in a folder.
func (s Scene) Skip(dir string) (left []Frame, err error) {
	for _, f := range s.Frames {
		for _, name := range f.Pictures {
			_, err := os.Stat(filepath.Join(dir, name))
			if errors.Is(err, os.ErrNotExist) {
				left = append(left, f)
				break
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// Chunks returns frames in pieces of at most n, as a person writes them. Neighbours are written as a range.
func Chunks(frames []Frame, n int) ([]api.Frames, error) {
	var all []api.Frames
	for piece := range slices.Chunk(frames, n) {
		var parts []string
		for i := 0; i < len(piece); {
			last := i
			for last+1 < len(piece) && piece[last+1].Number == piece[last].Number+1 {
				last++
			}
			part := fmt.Sprint(piece[i].Number)
			if last > i {
				part += fmt.Sprintf("-%d", piece[last].Number)
			}
			parts = append(parts, part)
			i = last + 1
		}
		f, err := api.FramesOf(strings.Join(parts, ","))
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}
