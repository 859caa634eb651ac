package app

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/farm"
)

const (
	// farmViewIdle is how long the view keeps its connection when nobody asks.
	farmViewIdle = time.Minute
	// farmViewJobs is how many of the newest jobs the view looks at.
	farmViewJobs = 1000
	// farmViewTime is how long the farm may take to answer.
	farmViewTime = 10 * time.Second
	// farmViewFiles is how many files of a folder the view looks at for the newest picture.
	farmViewFiles = 2000
)

// farmView answers clients of the engine who ask for the farm. It connects when somebody asks, and
// disconnects when nobody has asked for a while.
type farmView struct {
	membership string // the path of the file
	// turn has room for whoever uses the fields below.
	turn   chan struct{}
	client *farm.Client
	idle   *time.Timer
}

func newFarmView(membership string) *farmView {
	return &farmView{membership: membership, turn: make(chan struct{}, 1)}
}

// look returns what the farm says, with the n newest groups of jobs.
func (v *farmView) look(ctx context.Context, n int) api.Farm {
	m, err := farm.ReadMembership(v.membership)
	if errors.Is(err, farm.ErrNotMember) {
		v.end(ctx)
		return api.Farm{}
	}
	if err != nil {
		return api.Farm{Reason: err.Error()}
	}
	f := api.Farm{Member: m.Name}
	ctx, stop := context.WithTimeout(ctx, farmViewTime)
	defer stop()
	machines, jobs, err := v.ask(ctx, m)
	if err != nil {
		f.Reason = err.Error()
		return f
	}
	f.Machines, f.Groups = machinesOf(machines), groupsOf(jobs, n)
	for i := range f.Groups {
		if g := &f.Groups[i]; g.By == m.Name && g.To != "" {
			g.Picture = newestPicture(g.To, g.At)
		}
	}
	return f
}

// ask asks the farm for its machines and its newest jobs.
func (v *farmView) ask(ctx context.Context, m *farm.Membership) ([]farm.Machine, []farm.JobStatus, error) {
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, errors.New("the farm takes long to answer")
	}
	defer func() { <-v.turn }()
	if v.client != nil && *v.client.Member != *m {
		v.dropLocked()
	}
	if v.client == nil {
		c, err := farm.Dial(ctx, m, farm.DialOptions{})
		if err != nil {
			return nil, nil, err
		}
		v.client = c
		v.idle = time.AfterFunc(farmViewIdle, func() { v.end(context.Background()) })
	}
	v.idle.Reset(farmViewIdle)
	machines, err := v.client.Machines(ctx)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := v.client.Jobs(ctx, farmViewJobs)
	return machines, jobs, err
}

// end closes the connection.
func (v *farmView) end(ctx context.Context) {
	select {
	case v.turn <- struct{}{}:
		v.dropLocked()
		<-v.turn
	case <-ctx.Done():
	}
}

// dropLocked closes the connection, if there is one. It needs turn.
func (v *farmView) dropLocked() {
	if v.client != nil {
		v.idle.Stop()
		v.client.Close()
		v.client = nil
	}
}

// machinesOf returns machines as clients of the engine read them.
func machinesOf(machines []farm.Machine) []api.FarmMachine {
	all := make([]api.FarmMachine, len(machines))
	for i, m := range machines {
		all[i] = api.FarmMachine{
			Name: m.Name, State: m.State, OS: m.OS, Version: m.Version, Blenders: orNone(m.Blenders), GPU: m.GPU,
			Cores: m.Cores, Memory: m.Memory, Free: m.Free, Slots: m.Slots, Jobs: orNone(m.Jobs), SeenAt: m.Seen,
		}
	}
	return all
}

func orNone(words []string) []string {
	if words == nil {
		return []string{}
	}
	return words
}

// groupsOf returns the n newest groups of jobs, which come the newest first.
func groupsOf(jobs []farm.JobStatus, n int) []api.FarmGroup {
	all, at := []api.FarmGroup{}, map[string]int{}
	for _, j := range jobs {
		id := cmp.Or(j.Group, j.ID)
		i, known := at[id]
		if !known {
			if len(all) == n {
				continue
			}
			i, at[id] = len(all), len(all)
			all = append(all, api.FarmGroup{
				ID: id, Name: j.Name, Kind: string(j.Kind), By: j.By, At: j.At, Parts: max(j.Parts, 1), To: j.To, Jobs: []api.FarmJob{},
			})
		}
		g := &all[i]
		if j.At.Before(g.At) {
			g.At = j.At
		}
		g.Jobs = append(g.Jobs, api.FarmJob{
			ID: j.ID, Part: j.Part, Frames: j.Frames, State: string(j.State), Reason: j.Reason, Machine: j.Machine, Progress: j.Progress,
		})
	}
	for i := range all {
		slices.SortStableFunc(all[i].Jobs, func(a, b api.FarmJob) int { return cmp.Compare(a.Part, b.Part) })
	}
	return all
}

// newestPicture returns the newest picture in a folder that every program reads, that was written since a time, or "".
func newestPicture(dir string, since time.Time) string {
	folder, err := os.Open(dir)
	if err != nil {
		return "" // nothing has come back yet
	}
	defer folder.Close()
	entries, _ := folder.ReadDir(farmViewFiles) // as far as they can be read
	newest, at := "", since
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") || api.PictureKindOf(path) != api.PlainPicture {
			continue
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(at) {
			newest, at = path, info.ModTime()
		}
	}
	return newest
}
