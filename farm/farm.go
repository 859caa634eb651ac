// Package farm shares runs between machines: the engine of each machine takes jobs from one queue in NATS
// JetStream, executes them as ordinary runs, and sends back how they ended. The package is the engine's
// second source of runs, beside control. It starts no Blender and keeps no history: the engine does.
//
// [Dial] connects a machine that has joined a farm, by its [Membership], and returns a [Client], which
// submits jobs, follows, cancels and lists them. A [Worker] takes jobs for an engine, until its context
// ends. [Join] makes a machine a member, by the invitation of an administrator, whose [Admitter] answers.
// The package farm/server is a NATS server for those who have none.
//
// What is true stands in three places: a job in its stream, who executes the job in its claim (an
// entry that is changed only by who knows its last revision), and how the job ended in its result, of
// which the stream takes the first. That the server delivers a job to a machine is only a hint.
package farm

import (
	"errors"
	"strings"
	"time"
)

// The streams, and the buckets of keys and values. All names of a farm begin with bt, so that a farm can
// live in a server that other programs use.
const (
	streamJobs    = "bt-jobs"    // bt.jobs.CLASS.PRIORITY.ID
	streamResults = "bt-results" // bt.results.ID

	bucketClaims   = "bt-claims"   // ID: who executes the job
	bucketClasses  = "bt-classes"  // CLASS_PRIORITY: what jobs of the class need
	bucketMachines = "bt-machines" // a machine's key: what the machine is and does
	bucketOrders   = "bt-orders"   // cancel.ID, for a job or a group
	bucketDrains   = "bt-drains"   // a machine's key: who has drained the machine

	// BucketFiles is the object store of files, for the package that moves files.
	BucketFiles = "bt-files"

	subjectJobs    = "bt.jobs"
	subjectResults = "bt.results"
	subjectEvents  = "bt.events" // ID: what the run says while it goes on; nobody keeps these messages
	subjectJoin    = "bt.join"   // INVITATION: a machine asks to be admitted
)

// These are the times by which machines notice that another machine is gone.
const (
	// DefaultLease is how long a claim holds without a sign of life. A machine that is frozen or cut
	// off for longer counts as gone.
	DefaultLease = 20 * time.Second
	// beats is how many signs of life fit into a lease.
	beats = 4
	// maxTries is after how many machines that died with a job, or whose Blender crashed, the job ends.
	maxTries = 3
	// maxAttempts is after how many such attempts a job ends, on however few machines.
	maxAttempts = 5
)

// MaxCode is how many bytes of code a job carries in itself. The files of a job carry more.
const MaxCode = 256 << 10

// maxOutput is how much of a run's output a result carries: the beginning and the end.
const maxOutput = 256 << 10

// Errors that callers decide on.
var (
	// ErrNotMember is the error of a machine that has joined no farm.
	ErrNotMember = errors.New("this machine has joined no farm")
	// ErrNoJob is the error for a job that the farm does not know.
	ErrNoJob = errors.New("the farm has no such job")
	// ErrRefused is the error for what the role of a machine does not allow, and for what is not signed by
	// who may sign it.
	ErrRefused = errors.New("refused")
	// ErrEnded is the error of a cancel that comes too late.
	ErrEnded = errors.New("the job has ended")
)

// Role is what a member may do.
type Role string

// The roles. A member may have several.
const (
	// RoleSubmit has jobs made, follows and cancels them.
	RoleSubmit Role = "submit"
	// RoleWork takes jobs and writes results.
	RoleWork Role = "work"
	// RoleAdminister drains machines and admits members.
	RoleAdminister Role = "administer"
)

// Roles returns all roles.
func Roles() []Role { return []Role{RoleSubmit, RoleWork, RoleAdminister} }

// RolesOf reads roles with commas between them, as a person writes them. It fails for other words, and
// when there is none.
func RolesOf(text string) ([]Role, error) {
	var all []Role
	for word := range strings.SplitSeq(text, ",") {
		switch role := Role(strings.TrimSpace(word)); role {
		case RoleSubmit, RoleWork, RoleAdminister:
			all = append(all, role)
		default:
			return nil, errors.New("a role is submit, work or administer; several have commas between them")
		}
	}
	return all, nil
}
