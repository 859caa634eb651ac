package farm

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"blendtray/api"
	"blendtray/farm/files"
)

// Kind is what a job has Blender do.
type Kind string

// The kinds of jobs.
const (
	KindScript Kind = "script" // run a script
	KindRender Kind = "render" // render some frames of a .blend
)

// Priority says which job a machine takes first.
type Priority string

// The priorities.
const (
	PriorityHigh   Priority = "high"
	PriorityNormal Priority = "normal"
	PriorityLow    Priority = "low"
)

// Priorities returns the priorities, the highest first.
func Priorities() []Priority { return []Priority{PriorityHigh, PriorityNormal, PriorityLow} }

// Job is one run that some machine of a farm is to execute, once. The submitter signs its JSON form.
type Job struct {
	// ID is the name of the job in the farm, in lower-case letters and digits. It is also the key of the
	// job's run in the engine that executes the job.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Name is what a person calls the job, such as the path of its script on the submitter's machine.
	Name string `json:"name"`
	// Group is the id that the jobs of one command share, or "". Part counts the jobs of a group from 1.
	Group string `json:"group"`
	Part  int    `json:"part"`
	// Parts is how many jobs the group has.
	Parts int `json:"parts"`
	// Code is the script, of at most [MaxCode] bytes; Args are its arguments.
	Code []byte   `json:"code,omitempty"`
	Args []string `json:"args"`
	// Scene is "fresh", or for a render without Tree the absolute path of the .blend.
	Scene string `json:"scene"`
	// Render says which frames to render, or is null.
	Render *api.Render `json:"render"`
	// Tree is the list of the files that the job needs on the machine that executes it, by content, or null;
	// the package farm/cargo makes and reads it. Main is the name of the script or the .blend among them.
	Tree *files.Blob `json:"tree,omitempty"`
	Main string      `json:"main,omitempty"`
	// Shared is true when paths mean the same on all machines, and no file is sent.
	Shared bool `json:"shared"`
	// To is the folder of the submitter into which outputs come back, or "".
	To string `json:"to,omitempty"`
	// Needs says which machines may take the job.
	Needs    Needs    `json:"needs"`
	Priority Priority `json:"priority"`
	// Repeatable is true when the job may begin again on another machine after it was cut off.
	Repeatable bool `json:"repeatable"`
	// TimeLimitSeconds is 0 for the default of the engine that executes the job, negative for none.
	TimeLimitSeconds float64 `json:"time_limit_seconds"`
	// By is the name of the member that has submitted the job, and At when.
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Until is when machines refuse the job, so that no old job can be played to them again.
	Until time.Time `json:"until"`
	// RetryOf is the id of the job that this job repeats, or "".
	RetryOf string `json:"retry_of"`
}

// File is a file of a job, or one that a job has made, known by its content.
type File struct {
	// Path is relative to the folder of the job, with slashes.
	Path string `json:"path"`
	// SHA256 is the hash of the content, in hexadecimal digits, by which the object store has it.
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Needs are what a machine must have to take a job. What is empty is not asked for.
type Needs struct {
	// Blender is a version such as 4.5, or the name of a Blender in the settings of the machine.
	Blender string `json:"blender,omitempty"`
	// GPU asks for a graphics card.
	GPU bool `json:"gpu,omitempty"`
	// Memory is how many bytes of memory must be free.
	Memory int64 `json:"memory,omitempty"`
	// Machines are the names of the machines that may take the job.
	Machines []string `json:"machines,omitempty"`
	// Labels are words that the machine must have in its settings (farm.labels).
	Labels []string `json:"labels,omitempty"`
}

// Class returns a name for the jobs that need the same. Jobs of a class lie in one line, from which
// every machine takes that has what they need.
func (n Needs) Class() string {
	n.Machines, n.Labels = sorted(n.Machines), sorted(n.Labels)
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // these types have no value without a JSON form
	}
	if string(text) == "{}" {
		return "any"
	}
	sum := sha256.Sum256(text)
	return idCoding.EncodeToString(sum[:10])
}

func sorted(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return slices.Compact(words)
}

// String says in words what is needed, or "".
func (n Needs) String() string {
	var all []string
	if n.Blender != "" {
		all = append(all, "Blender "+n.Blender)
	}
	if n.GPU {
		all = append(all, "a GPU")
	}
	if n.Memory > 0 {
		all = append(all, api.Bytes(n.Memory).String()+" of free memory")
	}
	if len(n.Labels) > 0 {
		all = append(all, "the label "+strings.Join(n.Labels, " and "))
	}
	if len(n.Machines) > 0 {
		all = append(all, "the machine "+strings.Join(n.Machines, " or "))
	}
	return strings.Join(all, ", ")
}

// idCoding writes ids in letters and digits that every system takes in names.
var idCoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID returns an id that no other job has. Later ids are greater.
func newID() string {
	var b [10]byte
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(b[:8], ms<<16) // 48 bits of time
	_, _ = rand.Read(b[6:])                   // which never fails
	return sortable.EncodeToString(b[:])
}

// sortable writes bytes so that the texts sort as the bytes do.
var sortable = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// idOfKey returns the id of the job that a submitter has given a key of its own.
func idOfKey(by, key string) string {
	sum := sha256.Sum256([]byte(by + "\x00" + key))
	return "k" + idCoding.EncodeToString(sum[:15])
}

// isID reports whether a text can be the id of a job.
func isID(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
}

// check fails with [api.ErrBad] when no engine could run the job, or its fields are no names.
func (j *Job) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{api.ErrBad}, args...)...)
	}
	switch {
	case !isID(j.ID):
		return bad("id: %q is no id", j.ID)
	case j.Kind != KindScript && j.Kind != KindRender:
		return bad("kind: %q is neither script nor render", j.Kind)
	case !slices.Contains(Priorities(), j.Priority):
		return bad("priority: %q is not high, normal or low", j.Priority)
	case len(j.Code) > MaxCode:
		return bad("code: %d bytes, and a job carries %d", len(j.Code), MaxCode)
	case j.Kind == KindScript && len(j.Code) == 0 && j.Tree == nil:
		return bad("code: there is nothing to run")
	case j.Kind == KindRender && j.Render == nil:
		return bad("render: it says which frames to render")
	case j.Tree != nil && (!j.Tree.Hash.Valid() || files.CheckName(j.Main) != nil):
		return bad("tree: %q of %q are no files by content", j.Main, j.Tree.Hash)
	case j.Group != "" && !isID(j.Group):
		return bad("group: %q is no id", j.Group)
	}
	for _, name := range append(append([]string{j.Needs.Blender}, j.Needs.Machines...), j.Needs.Labels...) {
		if len(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
			return bad("needs: %q is no name", name)
		}
	}
	return nil
}

// subject returns the subject of the job's message.
func (j *Job) subject() string {
	return strings.Join([]string{subjectJobs, j.Needs.Class(), string(j.Priority), j.ID}, ".")
}

// State is where a job stands.
type State string

// The states of a job. Those after running are ends, except interrupted: the machine may come back and say
// how the run ended.
const (
	StateWaiting     State = "waiting"
	StateRunning     State = "running"
	StateSucceeded   State = "succeeded"
	StateFailed      State = "failed"
	StateCancelled   State = "cancelled"
	StateTimedOut    State = "timed-out"
	StateCrashed     State = "crashed"
	StateInterrupted State = "interrupted" // its machine is gone, and it must not begin again by itself
	StateRefused     State = "refused"     // a machine does not run it: see its reason
)

// States returns all states of a job, in the order of a life.
func States() []State {
	return []State{
		StateWaiting, StateRunning, StateSucceeded, StateFailed, StateCancelled, StateTimedOut, StateCrashed, StateInterrupted, StateRefused,
	}
}

// Final reports whether a job in this state will not run any more by itself.
func (s State) Final() bool { return s != StateWaiting && s != StateRunning }

// Result is how a job ended. The machine that executed the job signs its JSON form.
type Result struct {
	Job    string `json:"job"`
	State  State  `json:"state"`
	Reason string `json:"reason"`
	// Machine is the name of the machine that says so.
	Machine string `json:"machine"`
	// Run is the run on that machine with its output, which may be cut; null for a job that never ran.
	Run *api.Run `json:"run"`
	// Outputs are the files that the job has made, by content.
	Outputs []File `json:"outputs"`
	// Tries are the attempts before, each on a machine that died or whose Blender crashed.
	Tries []Try     `json:"tries"`
	At    time.Time `json:"at"`
}

// Try is an attempt that did not end by itself.
type Try struct {
	Machine string `json:"machine"`
	// Run is the id of the run in the history of the machine, or "".
	Run    string    `json:"run"`
	Reason string    `json:"reason"`
	Log    string    `json:"log"` // the end of what the run printed, as far as it is known
	At     time.Time `json:"at"`
}

// Claim is the entry that says who executes a job. It is made by the first machine that takes the
// job, and is changed only from its last revision.
type Claim struct {
	// Machine and Key are the name and the key of the machine.
	Machine string `json:"machine"`
	Key     string `json:"key"`
	// State is running; waiting, after the machine has given the job back; interrupted; or the end.
	State State `json:"state"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
	// LeaseSeconds is how long the claim holds after its last change.
	LeaseSeconds float64 `json:"lease_seconds"`
	// Run is the id of the run in the engine of the machine, or "".
	Run      string        `json:"run"`
	Progress *api.Progress `json:"progress"`
	Reason   string        `json:"reason"`
	Tries    []Try         `json:"tries"`
	Since    time.Time     `json:"since"`
}

func (c Claim) lease() time.Duration { return time.Duration(c.LeaseSeconds * float64(time.Second)) }

// Machine is what a machine tells the farm about itself.
type Machine struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Version string `json:"version"`
	OS      string `json:"os"`
	// Blenders are the names and the versions of the Blenders of its engine.
	Blenders []string `json:"blenders"`
	Labels   []string `json:"labels"`
	GPU      string   `json:"gpu"`
	Cores    int      `json:"cores"`
	Memory   uint64   `json:"memory"`
	Free     uint64   `json:"free"`
	// Slots is how many jobs it takes at the same time, Jobs are those that it has.
	Slots int      `json:"slots"`
	Jobs  []string `json:"jobs"`
	// State is "idle", "busy", "draining", "leaving" (the farm), "starting" (it has not learnt yet whether it
	// is drained), "in use" (a person works there), "off" (its settings say so) or "gone" (no sign of life).
	State string `json:"state"`
	// Seen is when the machine gave its last sign of life, by the clock of the server.
	Seen time.Time `json:"seen"`
	// Clock is what the clock of the machine said when it gave that sign, zero for versions that don't say so.
	Clock time.Time `json:"clock"`
	// AheadSeconds is how far its clock is ahead of the clock of the server, negative for a clock that is behind.
	AheadSeconds float64 `json:"ahead_seconds"`
}

// JobStatus is a job with what is known of it.
type JobStatus struct {
	ID         string        `json:"id"`
	Kind       Kind          `json:"kind"`
	Name       string        `json:"name"`
	Args       []string      `json:"args"`
	Group      string        `json:"group"`
	Part       int           `json:"part"`
	Parts      int           `json:"parts"`
	Frames     string        `json:"frames"`
	State      State         `json:"state"`
	Reason     string        `json:"reason"`
	Priority   Priority      `json:"priority"`
	Needs      Needs         `json:"needs"`
	Repeatable bool          `json:"repeatable"`
	By         string        `json:"by"`
	At         time.Time     `json:"at"`
	Machine    string        `json:"machine"`
	Run        string        `json:"run"`
	Attempt    int           `json:"attempt"`
	Progress   *api.Progress `json:"progress"`
	Seconds    float64       `json:"seconds"`
	To         string        `json:"to"`
	Outputs    []File        `json:"outputs"`
	Tries      []Try         `json:"tries"`
	RetryOf    string        `json:"retry_of"`
}
