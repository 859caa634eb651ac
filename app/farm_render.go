package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
)

type farmRenderCmd struct {
	File string `arg:"" name:"scene" help:"The .blend file."`
	frameFlags
	Chunk  int    `default:"5" placeholder:"N" help:"So many frames are a job, which one machine renders (default: 5)."`
	To     string `placeholder:"DIR" help:"The folder into which the pictures come (default: the folder of the scene's own output)."`
	Engine string `placeholder:"NAME" help:"The render engine, such as CYCLES. Default: the scene's."`
	Output string `placeholder:"NAME" help:"The name of the pictures, with # for the digits of the frame, such as shot_#### (default: the name of the scene's own output)."`
	Shared bool   `help:"Send no files: the .blend, what it uses, and DIR have the same paths on all machines."`
	placeFlags
}

func (farmRenderCmd) Help() string {
	return `The frames are rendered in pieces, each on a machine that is free, by a Blender of the version with which the engine of this machine looks what the .blend uses. Textures, libraries, caches and whatever else it uses go along; each file travels once to each machine. The pictures come into one folder here. Frames whose pictures are there already are not rendered: the same command goes on where an earlier one was ended.

    blendtray farm render shot.blend --frames 1-250,300
    blendtray farm render shot.blend --chunk 1 --to ~/out --gpu
    blendtray farm render //nas/film/shot.blend --shared --to //nas/film/out

When a machine dies, another one renders its piece again. Ctrl-C cancels the pieces that are not over; a second one leaves at once. The engine must run here, to look into the .blend: "blendtray serve" starts one.

` + exitCodes
}

// rendered is what --json prints.
type rendered struct {
	Group string `json:"group"`
	// To is the folder of the pictures.
	To string `json:"to"`
	// Frames is how many frames were wanted, and Skipped how many were there already.
	Frames  int `json:"frames"`
	Skipped int `json:"skipped"`
	// Missing are the files that the .blend uses and that are not there.
	Missing []string `json:"missing"`
	// SentBytes is how many bytes of files were sent.
	SentBytes int64            `json:"sent_bytes"`
	Jobs      []farm.JobStatus `json:"jobs"`
}

func (c *farmRenderCmd) Run(e *env) error {
	if c.Chunk < 1 {
		return fault.New(fault.Usage, "such as --chunk 5", "--chunk is a number from 1")
	}
	if !strings.EqualFold(filepath.Ext(c.File), ".blend") {
		return fault.New(fault.Usage, "`blendtray farm run` runs scripts", "%s is no .blend file", c.File)
	}
	if strings.ContainsAny(c.Output, `/\`) {
		return fault.New(fault.Usage, "--to DIR says where the pictures go", "--output %s is no name", c.Output)
	}
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	scene, err := c.look(e)
	if err != nil {
		return err
	}
	out := rendered{To: scene.Folder, Frames: len(scene.Frames), Missing: append([]string{}, scene.Missing...), Jobs: []farm.JobStatus{}}
	if c.To != "" {
		if out.To, err = filepath.Abs(c.To); err != nil {
			return err
		}
	}
	if len(out.Missing) > 0 && !c.JSON {
		e.warn("%s uses %d files that are not there, such as %s", scene.Blend, len(out.Missing), clean(out.Missing[0]))
	}
	left, err := scene.Skip(out.To)
	if err != nil {
		return err
	}
	if out.Skipped = len(scene.Frames) - len(left); out.Skipped > 0 && !c.JSON {
		e.note("%d of %d frames are there already", out.Skipped, len(scene.Frames))
	}
	if len(left) == 0 {
		if c.JSON {
			return e.printJSON(out)
		}
		return nil
	}
	store, err := files.Open(e, client.JetStream(), farm.BucketFiles)
	if err != nil {
		return farmError(err)
	}
	jobs, err := c.jobs(e, store, scene, left, out.To)
	if err != nil {
		return farmError(err)
	}
	out.SentBytes = store.Sent()
	return c.render(e, client, store, jobs, out)
}

// look returns what the .blend uses and renders, by a Blender of the engine.
func (c *farmRenderCmd) look(e *env) (cargo.Scene, error) {
	frames, err := c.frames()
	if err != nil {
		return cargo.Scene{}, err
	}
	blend, err := filepath.Abs(c.File)
	if err != nil {
		return cargo.Scene{}, err
	}
	if _, err := os.Stat(blend); err != nil {
		return cargo.Scene{}, fault.New(fault.Usage, "", "%w", err)
	}
	scene, err := cargo.Look(e, c.blender(e), blend, frames, c.Output)
	if err == nil && scene.Movie {
		err = fault.New(fault.Usage, "choose pictures as its output, or `blendtray render` renders it here", "%s renders a movie, which is one file and can't be spread over machines", blend)
	}
	return scene, err
}

// blender returns how scripts are run that look into a .blend: as runs of the engine.
func (c *farmRenderCmd) blender(e *env) cargo.Blender {
	return func(_ context.Context, s api.Submission) (api.Run, error) {
		client, err := e.client()
		if err != nil {
			return api.Run{}, err
		}
		s.Client, s.Blender = "blendtray farm render", c.Blender
		return e.follow(client, s, true)
	}
}

// jobs returns the jobs that render some frames. It sends the files that they need.
func (c *farmRenderCmd) jobs(e *env, store *files.Store, scene cargo.Scene, left []cargo.Frame, to string) ([]farm.Job, error) {
	one := c.job()
	one.Kind, one.Name, one.Repeatable, one.To, one.Shared = farm.KindRender, scene.Blend, true, to, c.Shared
	if one.Needs.Blender == "" {
		// Other versions render other pictures.
		one.Needs.Blender = series(scene.Version)
	}
	if c.Shared {
		one.Scene = scene.Blend
	} else {
		paths, err := home.Find()
		if err != nil {
			return nil, err
		}
		packed, err := cargo.Pack(e, c.blender(e), scene, paths.FarmCopies())
		if err != nil {
			return nil, err
		}
		list, err := c.send(e, store, packed)
		if err != nil {
			return nil, err
		}
		one.Tree, one.Main = &list, packed.Main
	}
	chunks, err := cargo.Chunks(left, c.Chunk)
	if err != nil {
		return nil, err
	}
	var jobs []farm.Job
	for _, frames := range chunks {
		one.Render = &api.Render{Frames: frames, Engine: c.Engine, Output: scene.Name}
		jobs = append(jobs, one)
	}
	return jobs, nil
}

// series returns the first two numbers of a version.
func series(version string) string {
	parts := strings.Split(version, ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// send sends the files of a job and shows how far that is.
func (c *farmRenderCmd) send(e *env, store *files.Store, packed cargo.Packed) (files.Blob, error) {
	defer e.done()
	var mu sync.Mutex
	list, _, err := files.Send(e, store, packed.Sources, func(done, all int64) {
		mu.Lock()
		defer mu.Unlock()
		if !c.JSON && all > 0 {
			e.progress(api.Progress{Fraction: float64(done) / float64(all), Text: fmt.Sprintf("sending %s of %s", size(uint64(done)), size(uint64(all)))})
		}
	})
	return list, err
}

// render has jobs made, brings their pictures here, and shows how they ended.
func (c *farmRenderCmd) render(e *env, client *farm.Client, store *files.Store, jobs []farm.Job, out rendered) error {
	made, err := client.SubmitAll(e, jobs)
	if len(made) > 0 {
		out.Group = made[0].Group
	}
	if err != nil {
		if len(made) > 0 {
			e.warn("%d of %d jobs were submitted; `blendtray farm cancel %s` cancels them", len(made), len(jobs), out.Group)
		}
		return farmError(err)
	}
	if c.Detach {
		return e.printJobs(made, c.JSON)
	}
	f := e.newFollower(made, c.JSON)
	brought := newFetcher(e, store, out.Group, out.To)
	f.arrived = brought.take
	err = f.follow(client)
	failed := brought.wait()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if !c.JSON {
		if err := f.conclude(false); err != nil {
			return err
		}
		e.note("%d frames are in %s", out.Frames, out.To)
		return nil
	}
	out.Jobs = f.status
	if err := e.printJSON(out); err != nil {
		return err
	}
	for _, s := range f.status {
		if s.State != farm.StateSucceeded {
			return fault.Quietly(fault.Failed)
		}
	}
	return nil
}

// fetcher brings the pictures of jobs here, while others go on.
type fetcher struct {
	ctx   context.Context
	store *files.Store
	group string
	dir   string // "" for the folder of each job
	slots chan struct{}
	work  sync.WaitGroup
	mu    sync.Mutex
	errs  []error
}

func newFetcher(ctx context.Context, store *files.Store, group, dir string) *fetcher {
	return &fetcher{ctx: ctx, store: store, group: group, dir: dir, slots: make(chan struct{}, fetchers)}
}

// fetchers is for how many jobs pictures are brought at the same time.
const fetchers = 4

// take begins to bring the pictures of a job that has succeeded.
func (f *fetcher) take(job farm.Job, r farm.Result) {
	if r.State != farm.StateSucceeded {
		return
	}
	f.work.Go(func() {
		f.slots <- struct{}{}
		defer func() { <-f.slots }()
		err := cargo.Fetch(f.ctx, f.store, job, r.Outputs, cmp.Or(f.dir, job.To))
		f.mu.Lock()
		defer f.mu.Unlock()
		f.errs = append(f.errs, err)
	})
}

// wait returns when all pictures are here. It fails with what could not be brought.
func (f *fetcher) wait() error {
	f.work.Wait()
	if err := errors.Join(f.errs...); err != nil {
		return fault.New(fault.Failed, "the farm keeps the pictures for a while: `blendtray farm fetch "+f.group+"` brings them", "%w", err)
	}
	return nil
}

type farmFetchCmd struct {
	ID   string `arg:"" help:"A job or a group."`
	To   string `placeholder:"DIR" help:"The folder into which the files come. Default: that which the job was given."`
	JSON bool   `name:"json" help:"Print JSON, and nothing else."`
}

func (farmFetchCmd) Help() string {
	return `Brings here what jobs have made that have succeeded, such as those of a render that was started with --detach, or whose command was ended. The farm keeps the files for 30 days. What is here already stays as it is.`
}

func (c *farmFetchCmd) Run(e *env) error {
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	all, err := client.Group(e, c.ID)
	if errors.Is(err, farm.ErrNoJob) {
		var one farm.JobStatus
		one, _, err = client.Show(e, c.ID)
		all = []farm.JobStatus{one}
	}
	if err != nil {
		return farmError(err)
	}
	store, err := files.Open(e, client.JetStream(), farm.BucketFiles)
	if err != nil {
		return farmError(err)
	}
	to := c.To
	if to != "" {
		if to, err = filepath.Abs(to); err != nil {
			return err
		}
	}
	brought := newFetcher(e, store, c.ID, to)
	for i, s := range all {
		job, err := client.Job(e, s.ID)
		if err != nil {
			return farmError(err)
		}
		r, ended, err := client.Result(e, s.ID)
		if err != nil {
			return farmError(err)
		}
		switch {
		case ended && to == "" && job.To == "":
			return fault.New(fault.Usage, "such as --to .", "job %s was given no folder: --to says where its files go", s.ID)
		case ended && to == "" && job.By != client.Card.Name:
			// Another member must not choose where files are written here.
			return fault.New(fault.Usage, "such as --to .", "job %s is by %s: --to says where its files go here", s.ID, job.By)
		}
		if ended {
			all[i].Add(r)
			brought.take(job, r)
		}
	}
	if err := brought.wait(); err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(all)
	}
	count := map[farm.State]int{}
	for _, s := range all {
		count[s.State]++
	}
	e.note("%s", counted(count))
	return nil
}
