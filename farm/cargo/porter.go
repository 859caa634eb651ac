package cargo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"blendtray/api"
	"blendtray/farm"
	"blendtray/farm/files"
)

// Porter brings to this machine what jobs need. Its methods may be called at the same time.
type Porter struct {
	// Cache returns what keeps the files of jobs.
	Cache func() (*files.Cache, error)
	// Dir is a folder in which each attempt of a job has a folder for its pictures.
	Dir string
}

// attemptPrefix begins the name of the folder of an attempt in a folder that machines share.
const attemptPrefix = ".blendtray-"

// Prepare is the [farm.Preparer] of jobs with files. It fetches the files, unless machines share their
// storage, and gives the pictures of a render a folder of the attempt, so that two attempts never write into
// one file. It fails as [files.Cache.CheckOut] does.
func (p *Porter) Prepare(ctx context.Context, c *farm.Client, job farm.Job, attempt string) (farm.Prepared, error) {
	sub := api.Submission{
		Code: job.Code, Name: job.Name, Args: job.Args, Scene: "fresh", Render: job.Render,
		TimeLimitSeconds: job.TimeLimitSeconds, Blender: job.Needs.Blender,
	}
	if job.Kind == farm.KindRender {
		sub.Code, sub.Name = nil, ""
	}
	if job.Kind == farm.KindRender || job.Shared && job.Scene != "" {
		sub.Scene = job.Scene
	}
	if job.Tree == nil {
		if job.Shared && job.Kind == farm.KindRender && job.To != "" {
			return p.prepareShared(job, sub, attempt)
		}
		return farm.Prepared{Submission: sub}, nil
	}
	store, err := files.Open(ctx, c.JetStream(), farm.BucketFiles)
	if err != nil {
		return farm.Prepared{}, err
	}
	cache, err := p.Cache()
	if err != nil {
		return farm.Prepared{}, err
	}
	out, err := cache.CheckOut(ctx, store, *job.Tree, nil)
	if err != nil {
		return farm.Prepared{}, err
	}
	main := filepath.Join(out.Dir, filepath.FromSlash(job.Main))
	if err := has(out.Tree, job.Main); err != nil {
		out.Release()
		return farm.Prepared{}, err
	}
	dir := filepath.Join(p.Dir, attempt)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		out.Release()
		return farm.Prepared{}, err
	}
	if job.Kind == farm.KindScript {
		if sub.Code, err = os.ReadFile(main); err != nil {
			out.Release()
			return farm.Prepared{}, err
		}
		sub.Script, sub.Name = main, ""
	} else {
		sub.Scene = main
	}
	sub.Render = into(job.Render, dir)
	places := []string{dir, filepath.Dir(main), out.Dir}
	return farm.Prepared{
		Submission: sub,
		Finish: func(ctx context.Context, run api.Run) ([]farm.File, error) {
			return p.finish(ctx, store, out.Tree, places, run)
		},
		Close: func() {
			out.Release()
			_ = os.RemoveAll(dir) // what is of no use any more
		},
	}, nil
}

// has fails unless a tree has a file of a name.
func has(t files.Tree, name string) error {
	for _, e := range t.Files {
		if e.Name == name {
			return nil
		}
	}
	return fmt.Errorf("%q is not among the files of the job", name)
}

// into returns what to render with the pictures in a folder. Of the pattern the last part alone counts.
func into(r *api.Render, dir string) *api.Render {
	if r == nil {
		return nil
	}
	one := *r
	one.Output = dir + string(filepath.Separator) + path.Base(strings.ReplaceAll("/"+r.Output, `\`, "/"))
	if r.Output == "" || strings.HasSuffix(r.Output, "/") {
		one.Output = dir + string(filepath.Separator)
	}
	return &one
}

// prepareShared prepares a render whose .blend and pictures lie where all machines find them.
func (p *Porter) prepareShared(job farm.Job, sub api.Submission, attempt string) (farm.Prepared, error) {
	dir := filepath.Join(job.To, attemptPrefix+attempt)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return farm.Prepared{}, err
	}
	sub.Render = into(job.Render, dir)
	finished := false
	return farm.Prepared{
		Submission: sub,
		Finish: func(_ context.Context, run api.Run) ([]farm.File, error) {
			var all []farm.File
			for _, path := range run.Outputs {
				name, err := filepath.Rel(dir, path)
				if err != nil || !filepath.IsLocal(name) {
					continue // it is where it belongs
				}
				blob, err := hashFile(path)
				if err != nil {
					return nil, err
				}
				all = append(all, farm.File{Path: attemptPrefix + attempt + "/" + filepath.ToSlash(name), SHA256: string(blob.Hash), Size: blob.Size})
			}
			finished = true
			return all, nil
		},
		Close: func() {
			if !finished {
				_ = os.RemoveAll(dir) // else the submitter takes the pictures from there
			}
		},
	}, nil
}

func hashFile(path string) (files.Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return files.Blob{}, err
	}
	defer f.Close()
	return files.BlobOf(f)
}

// finish sends the files that a run has made, and returns them with their names for the submitter.
func (p *Porter) finish(ctx context.Context, store *files.Store, tree files.Tree, places []string, run api.Run) ([]farm.File, error) {
	own := map[string]bool{}
	for _, e := range tree.Files {
		own[filepath.Join(places[len(places)-1], filepath.FromSlash(e.Name))] = true
	}
	all := []farm.File{}
	seen := map[string]bool{}
	for _, path := range run.Outputs {
		name := nameFor(path, places)
		if own[path] || seen[name] {
			continue
		}
		blob, err := store.PutFile(ctx, path, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the run has removed it again
		}
		if err != nil {
			return nil, err
		}
		seen[name] = true
		all = append(all, farm.File{Path: name, SHA256: string(blob.Hash), Size: blob.Size})
	}
	return all, nil
}

// nameFor returns the name that a file has in the folder of the submitter: its path below one of the places,
// and for a file elsewhere its name with that of its folder.
func nameFor(path string, places []string) string {
	for _, place := range places {
		if name, err := filepath.Rel(place, path); err == nil && filepath.IsLocal(name) {
			return filepath.ToSlash(name)
		}
	}
	folder := filepath.Base(filepath.Dir(path))
	if files.CheckName(folder) != nil {
		return filepath.Base(path)
	}
	return folder + "/" + filepath.Base(path)
}

// Fetch brings the files of a result into a folder of the submitter: from the farm, or by a rename where the
// machines share the folder. Every file is checked by its hash. It fails as [files.Receive] does; what is
// there already stays.
func Fetch(ctx context.Context, store *files.Store, job farm.Job, outputs []farm.File, dir string) error {
	if job.Shared {
		return takeShared(job, outputs, dir)
	}
	var all []files.Entry
	for _, f := range outputs {
		all = append(all, files.Entry{Name: f.Path, Blob: files.Blob{Hash: files.Hash(f.SHA256), Size: f.Size}})
	}
	return files.Receive(ctx, store, all, dir)
}

// takeShared renames the pictures of the attempt whose result counts, and removes those of other attempts.
func takeShared(job farm.Job, outputs []farm.File, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range outputs {
		attempt, name, ok := strings.Cut(f.Path, "/")
		if err := files.CheckName(f.Path); err != nil {
			return err
		}
		if !ok || !strings.HasPrefix(attempt, attemptPrefix+job.ID+"-") {
			return fmt.Errorf("%s is no picture of the job", f.Path)
		}
		if err := takeOne(root, f, filepath.FromSlash(name)); err != nil {
			return fmt.Errorf("take %s: %w", f.Path, err)
		}
	}
	return removeAttempts(root, job.ID)
}

// takeOne renames a file of an attempt. It is no error when an earlier command has taken the file.
func takeOne(root *os.Root, f farm.File, to string) error {
	from, err := root.Open(filepath.FromSlash(f.Path))
	if err != nil {
		if _, there := root.Stat(to); there == nil {
			return nil
		}
		return err
	}
	blob, err := files.BlobOf(from)
	_ = from.Close() // it was only read
	if err != nil {
		return err
	}
	if string(blob.Hash) != f.SHA256 {
		return files.ErrTorn
	}
	if err := root.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return root.Rename(filepath.FromSlash(f.Path), to)
}

// removeAttempts removes the folders of all attempts of a job.
func removeAttempts(root *os.Root, id string) error {
	found, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range found {
		if strings.HasPrefix(d.Name(), attemptPrefix+id+"-") {
			if err := root.RemoveAll(d.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}
