package app

import (
	"errors"
	"path/filepath"

	"blendtray/app/fault"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
)

// cargoFlags say what goes along with a script, and where the files go that it makes.
type cargoFlags struct {
	With []string `placeholder:"PATH" sep:"none" help:"Send this file or folder along, which lies below the folder of the script. May be given several times."`
	To   string   `placeholder:"DIR" help:"Bring the files that the runs make into this folder."`
}

// pack sends what a script needs, and has the job name that. A script in a file takes the modules beside it
// along; a script that is alone, and makes nothing that is wanted here, is in the job itself.
func (c cargoFlags) pack(e *env, client *farm.Client, job *farm.Job, file string) (err error) {
	if file == "" || file == "-" {
		if len(c.With) > 0 || c.To != "" {
			return fault.New(fault.Usage, "write the code into a file", "--with and --to need a script in a file")
		}
		return nil
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if c.To != "" {
		if job.To, err = filepath.Abs(c.To); err != nil {
			return err
		}
	}
	with := make([]string, len(c.With))
	for i, path := range c.With {
		if with[i], err = filepath.Abs(path); err != nil {
			return err
		}
	}
	packed, err := cargo.PackScript(file, with)
	if err != nil {
		return fault.New(fault.Usage, "", "%w", err)
	}
	if len(packed.Sources) == 1 && c.To == "" {
		return nil
	}
	store, err := files.Open(e, client.JetStream(), farm.BucketFiles)
	if err != nil {
		return farmError(err)
	}
	list, _, err := files.Send(e, store, packed.Sources, nil)
	if err != nil {
		return farmError(err)
	}
	job.Tree, job.Main, job.Code = &list, packed.Main, nil
	return nil
}

// follow shows jobs until they have ended, brings what they make here where that is wanted, and returns the
// exit code as an error.
func (c cargoFlags) follow(e *env, client *farm.Client, jobs []farm.Job, asJSON bool) error {
	if c.To == "" {
		return e.followJobs(client, jobs, asJSON)
	}
	store, err := files.Open(e, client.JetStream(), farm.BucketFiles)
	if err != nil {
		return farmError(err)
	}
	brought := newFetcher(e, store, jobs[0].ID, "")
	if len(jobs) > 1 {
		brought.group = jobs[0].Group
	}
	f := e.newFollower(jobs, asJSON)
	f.arrived = brought.take
	err = f.follow(client)
	if err = errors.Join(err, brought.wait()); err != nil {
		return err
	}
	return f.conclude(asJSON)
}
