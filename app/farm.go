package app

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/mem"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
)

type farmCmd struct {
	Serve   farmServeCmd   `cmd:"" help:"Be the server of a farm, and print the line with which other machines join."`
	Config  farmConfigCmd  `cmd:"" help:"Write the configuration of a NATS server of your own for a farm."`
	Setup   farmSetupCmd   `cmd:"" help:"Make the farm in a NATS server of your own."`
	Invite  farmInviteCmd  `cmd:"" help:"Print the line with which another machine joins, and wait for it."`
	Join    farmJoinCmd    `cmd:"" help:"Have this machine join a farm."`
	Leave   farmLeaveCmd   `cmd:"" help:"Have this machine leave its farm."`
	Run     farmRunCmd     `cmd:"" help:"Run a script on some machine of the farm and show what it prints."`
	Map     farmMapCmd     `cmd:"" help:"Run a script once for each line of a list, on all machines of the farm."`
	Render  farmRenderCmd  `cmd:"" help:"Render frames of a .blend on all machines of the farm."`
	Fetch   farmFetchCmd   `cmd:"" help:"Bring here what jobs have made."`
	Status  farmStatusCmd  `cmd:"" help:"List the newest jobs of the farm, or show one of them."`
	Workers farmWorkersCmd `cmd:"" help:"List the machines of the farm and what they do."`
	Cancel  farmCancelCmd  `cmd:"" help:"Cancel a job, or all jobs of a group."`
	Retry   farmRetryCmd   `cmd:"" help:"Have the farm execute an earlier job once more."`
	Drain   farmDrainCmd   `cmd:"" help:"Have a machine take no more jobs."`
}

func (farmCmd) Help() string {
	return `Machines that have joined a farm share their runs. "blendtray farm serve" on a first machine prints the line with which other machines join, and "blendtray farm run" then has a script run on a machine that is free. The engine of each machine takes jobs by itself and executes them as ordinary runs. "blendtray farm config" is for those who have a NATS server of their own in the place of "farm serve".`
}

// farmHint says what a person can do who is in no farm.
const farmHint = "`blendtray farm serve` begins one, and prints the line with which other machines join"

// farm returns a connection of this machine to its farm, which the caller closes.
func (e *env) farm() (*farm.Client, error) {
	paths, err := home.Find()
	if err != nil {
		return nil, err
	}
	m, err := farm.ReadMembership(paths.FarmMembership())
	if err != nil {
		return nil, farmError(err)
	}
	c, err := farm.Dial(e, m, farm.DialOptions{})
	return c, farmError(err)
}

// farmError returns err with its exit code and a hint.
func farmError(err error) error {
	var said *fault.Fault
	switch {
	case err == nil || errors.As(err, &said):
		return err
	case errors.Is(err, farm.ErrNotMember):
		return fault.New(fault.Failed, farmHint, "%w", err)
	case errors.Is(err, farm.ErrRefused):
		return fault.New(fault.Failed, "an administrator of the farm says who may do what: `blendtray farm invite --roles`", "%w", err)
	case errors.Is(err, farm.ErrNoJob):
		return fault.New(fault.Usage, "`blendtray farm status` lists the jobs", "%w", err)
	case errors.Is(err, api.ErrBad):
		return fault.New(fault.Usage, "", "%w", err)
	}
	return fault.New(fault.Failed, "", "%w", err)
}

// farmTime is how long a question to the farm may take.
const farmTime = 30 * time.Second

// asking returns a context for a question to the farm.
func (e *env) asking() (context.Context, context.CancelFunc) { return context.WithTimeout(e, farmTime) }

// farmSettings returns what the settings say about the farm now.
func (h *house) farmSettings() api.FarmSettings { return h.owner.Current().Farm }

// farmWorker returns the part of the house that takes jobs of the farm.
func (h *house) farmWorker() *farm.Worker {
	return farm.NewWorker(farm.WorkerConfig{
		Membership: h.paths.FarmMembership(), HeldDir: h.paths.FarmHeld(),
		Engine: farmEngine{h.front()}, Settings: h.farmSettings, Machine: h.machine, Unused: unused,
		Leaving: h.paths.FarmLeaving(), Porter: h.porter(), Logger: h.logs.Logger,
	})
}

// porter returns what brings the files of jobs to this machine. The cache is opened for the first of them.
func (h *house) porter() *cargo.Porter {
	return &cargo.Porter{
		Open: func() (*files.Cache, error) {
			return files.OpenCache(h.paths.FarmFiles(), func() int64 { return int64(h.farmSettings().MaxFiles) })
		},
		Dir: h.paths.FarmAttempts(),
	}
}

// farmEngine is an engine as the farm needs it.
type farmEngine struct{ overEngine }

// Follow makes a run and returns it with the events of the run.
func (f farmEngine) Follow(ctx context.Context, s api.Submission) (api.Run, farm.Subscription, error) {
	r, sub, err := f.overEngine.Follow(ctx, s)
	if err != nil {
		return r, nil, err
	}
	return r, sub, nil
}

// Status returns the state of the engine, without the state of the settings. The runs that this engine sends
// to the farm itself take no place of the machine, so they don't count.
func (f farmEngine) Status() api.Status {
	st := f.Engine.Status()
	st.Running -= st.OnFarm // some of them wait, and the farm adds Queued
	return st
}

// gpuOf is what is found out once about the machine.
var gpuOf = sync.OnceValue(findGPU)

// machine returns what this machine has now.
func (h *house) machine() farm.Machine {
	m := farm.Machine{
		Version: version, OS: runtime.GOOS, Cores: runtime.NumCPU(), GPU: gpuOf(),
		Slots: h.owner.Current().Runs.Parallel.Of(runtime.NumCPU()),
	}
	if memory, err := mem.VirtualMemory(); err == nil { // otherwise it is not known
		m.Memory, m.Free = memory.Total, memory.Available
	}
	for _, b := range h.engine.Status().Blenders {
		if b.Kind != api.BlenderOwn || b.State == api.BlenderFailed {
			continue
		}
		m.Blenders = append(m.Blenders, b.Name)
		if b.Version != "" && b.Version != b.Name {
			m.Blenders = append(m.Blenders, b.Version)
		}
	}
	return m
}
