package cargo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"blendtray/api"
	"blendtray/farm"
	"blendtray/farm/files"
)

// Porter brings to this machine what jobs need, and keeps what they make until it is settled what becomes of
// them. It is the [farm.Porter] of jobs with files. Its methods may be called at the same time.
type Porter struct {
	// Open opens what keeps the files of jobs. It is called for the first job, and again after it has failed.
	Open func() (*files.Cache, error)
	// Dir is a folder in which each attempt of a job has a folder for its pictures, and beside that a file
	// that names the tree that the attempt uses.
	Dir string

	mu    sync.Mutex
	cache *files.Cache
	uses  map[string]use // by attempt
}

// use is what an attempt uses on this machine.
type use struct {
	out *files.CheckOut
	// broken is true when the attempt had begun, and what it had made until then is gone.
	broken bool
}

// brokenMark follows the tree in the note of an attempt that is broken.
const brokenMark = " broken"

// treeSuffix ends the name of the file with the tree of an attempt.
const treeSuffix = ".tree"

// open returns the cache. What attempts of an earlier process use stays in it.
func (p *Porter) open() (*files.Cache, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cache != nil {
		return p.cache, nil
	}
	cache, err := p.Open()
	if err != nil {
		return nil, err
	}
	p.cache, p.uses = cache, map[string]use{}
	notes, _ := filepath.Glob(filepath.Join(p.Dir, "*"+treeSuffix)) // the pattern is right
	for _, note := range notes {
		text, err := os.ReadFile(note)
		if err != nil {
			continue // what its attempt has made is found to be lost
		}
		hash, broken := strings.CutSuffix(string(text), brokenMark)
		if out, ok := cache.Hold(files.Hash(hash)); ok {
			p.uses[strings.TrimSuffix(filepath.Base(note), treeSuffix)] = use{out, broken}
		}
	}
	return cache, nil
}

// note keeps what an attempt uses, in the place of what it used before.
func (p *Porter) note(attempt string, hash files.Hash, u use) error {
	p.mu.Lock()
	before := p.uses[attempt]
	p.uses[attempt] = u
	p.mu.Unlock()
	if before.out != nil && before.out != u.out {
		before.out.Release()
	}
	text := string(hash)
	if u.broken {
		text += brokenMark
	}
	return os.WriteFile(filepath.Join(p.Dir, attempt+treeSuffix), []byte(text), 0o600)
}

// used returns what an attempt of an earlier worker uses, if it does.
func (p *Porter) used(attempt string) (u use, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok = p.uses[attempt]
	return u, ok
}

// Discard removes what an attempt has made and no one needs any more: all of it, but for the pictures in a folder that
// machines share, which the submitter takes when they count.
func (p *Porter) Discard(job farm.Job, attempt string, counts bool) {
	p.mu.Lock()
	out := p.uses[attempt].out
	delete(p.uses, attempt)
	p.mu.Unlock()
	p.remove(attempt)
	if out != nil {
		out.Release()
	}
	if isShared(job) && !counts {
		_ = os.RemoveAll(sharedDir(job, attempt)) // the submitter removes it, too
	}
}

// remove removes the folder and the note of an attempt. What can't be removed goes with Tidy.
func (p *Porter) remove(attempt string) {
	_ = os.RemoveAll(filepath.Join(p.Dir, attempt))
	_ = os.Remove(filepath.Join(p.Dir, attempt+treeSuffix))
}

// Tidy removes what attempts have left that are none of these.
func (p *Porter) Tidy(attempts []string) {
	found, err := os.ReadDir(p.Dir)
	if err != nil {
		return // there were no attempts
	}
	for _, d := range found {
		if name := strings.TrimSuffix(d.Name(), treeSuffix); !slices.Contains(attempts, name) {
			p.remove(name)
		}
	}
}

func isShared(job farm.Job) bool { return job.Shared && job.Kind == farm.KindRender && job.To != "" }

// sharedDir is the folder of an attempt in the folder that machines share.
func sharedDir(job farm.Job, attempt string) string {
	return filepath.Join(job.To, attemptPrefix+attempt)
}

// attemptPrefix begins the name of the folder of an attempt in a folder that machines share.
const attemptPrefix = ".blendtray-"

// Prepare fetches the files of a job, unless machines share their storage, and gives the pictures of a render a folder
// of the attempt, so that two attempts never write into one file. It fails as [files.Cache.CheckOut] does, but
// not with resumed set: a run that has begun needs no files to be fetched.
func (p *Porter) Prepare(ctx context.Context, c *farm.Client, job farm.Job, attempt string, resumed bool) (farm.Prepared, error) {
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
		if isShared(job) {
			return p.prepareShared(job, sub, attempt)
		}
		return farm.Prepared{Submission: sub}, nil
	}
	store, err := files.Open(ctx, c.JetStream(), farm.BucketFiles)
	if err != nil {
		return farm.Prepared{}, err
	}
	cache, err := p.open()
	if err != nil {
		return farm.Prepared{}, err
	}
	dir := filepath.Join(p.Dir, attempt)
	u, known := p.used(attempt)
	if !resumed || !known || !isFolder(dir) {
		out, err := cache.CheckOut(ctx, store, *job.Tree, nil)
		if resumed && errors.Is(err, files.ErrMissing) {
			return farm.Prepared{}, fmt.Errorf("%w, and the job's files are gone, too: %w", farm.ErrLost, err)
		}
		if err != nil {
			return farm.Prepared{}, err
		}
		if err = os.MkdirAll(dir, 0o700); err == nil {
			u = use{out, resumed}
			err = p.note(attempt, job.Tree.Hash, u)
		}
		if err != nil {
			return farm.Prepared{}, err
		}
	}
	out := u.out
	main := filepath.Join(out.Dir, filepath.FromSlash(job.Main))
	if err := has(out.Tree, job.Main); err != nil {
		return farm.Prepared{}, err
	}
	if job.Kind == farm.KindScript {
		if sub.Code, err = os.ReadFile(main); err != nil {
			return farm.Prepared{}, err
		}
		sub.Script, sub.Name, sub.Imports = main, "", true
	} else {
		sub.Scene = main
	}
	sub.Render = into(job.Render, dir)
	places := []string{dir, filepath.Dir(main), out.Dir}
	return farm.Prepared{
		Submission: sub,
		Finish: func(ctx context.Context, run api.Run) ([]farm.File, error) {
			return p.finish(ctx, store, out.Tree, places, run, u.broken)
		},
	}, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
	dir := sharedDir(job, attempt)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return farm.Prepared{}, err
	}
	sub.Render = into(job.Render, dir)
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
			return all, nil
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

// finish sends the files that a run has made, and returns them with their names for the submitter. A file that is
// not there any more was removed by the run, or with broken set is lost: then finish fails with [farm.ErrLost].
func (p *Porter) finish(ctx context.Context, store *files.Store, tree files.Tree, places []string, run api.Run, broken bool) ([]farm.File, error) {
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
		if errors.Is(err, fs.ErrNotExist) && broken {
			return nil, fmt.Errorf("%w: %s is gone", farm.ErrLost, path)
		}
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
