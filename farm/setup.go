package farm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keepJobs is how long the farm knows a job and its result.
const keepJobs = 30 * 24 * time.Hour

// SetUp makes the streams and the buckets of a farm in a server, or brings them up to this version. The member
// must be an administrator. It fails for a server older than 2.12.
func SetUp(ctx context.Context, c *Client) error {
	if err := checkServer(c.nc.ConnectedServerVersion()); err != nil {
		return err
	}
	for _, s := range []jetstream.StreamConfig{
		{Name: streamJobs, Subjects: []string{subjectJobs + ".*.*.*"}, Description: "the jobs of Blendtray", MaxAge: keepJobs},
		{Name: streamResults, Subjects: []string{subjectResults + ".*"}, Description: "how the jobs of Blendtray ended", MaxAge: keepJobs},
	} {
		s.Storage, s.AllowDirect, s.Duplicates = jetstream.FileStorage, true, 2*time.Minute
		if _, err := c.js.CreateOrUpdateStream(ctx, s); err != nil {
			return fmt.Errorf("make the stream %s: %w", s.Name, err)
		}
	}
	for _, b := range []jetstream.KeyValueConfig{
		{Bucket: bucketClaims, Description: "who executes which job", TTL: keepJobs},
		{Bucket: bucketClasses, Description: "what jobs need"},
		{Bucket: bucketMachines, Description: "the machines of the farm", TTL: 24 * time.Hour},
		{Bucket: bucketOrders, Description: "what to cancel", TTL: keepJobs},
		{Bucket: bucketDrains, Description: "the machines that take no jobs, until somebody undoes that"},
	} {
		b.Storage, b.History = jetstream.FileStorage, 1
		if _, err := c.js.CreateOrUpdateKeyValue(ctx, b); err != nil {
			return fmt.Errorf("make the bucket %s: %w", b.Bucket, err)
		}
	}
	if _, err := c.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: BucketFiles, Description: "files of jobs, by content", TTL: keepJobs, Storage: jetstream.FileStorage,
	}); err != nil {
		return fmt.Errorf("make the store of files: %w", err)
	}
	return nil
}

// checkServer fails for a server that can't do what a farm needs of it.
func checkServer(version string) error {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("the NATS server says that its version is %q", version)
	}
	if major < 2 || major == 2 && minor < 12 {
		return fmt.Errorf("the NATS server has version %s, and a farm needs 2.12 or newer", version)
	}
	return nil
}

// Permissions are the subjects that a member may publish to and subscribe to.
type Permissions struct {
	Publish, Subscribe []string
}

// PermissionsOf returns what the holder of a card may do in the server, which is what its roles need and
// nothing else.
func PermissionsOf(c Card) Permissions {
	p := Permissions{Subscribe: []string{inboxOf(c.Key) + ".>"}}
	if c.Invitation != "" {
		p.Publish = []string{subjectJoin + "." + c.Invitation}
		return p
	}
	p.Publish = []string{
		"$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.*", "$JS.API.DIRECT.GET.*.>",
		"$JS.FC.>",
	}
	// To read a stream in its order is to make a consumer of one's own, which ends with its reader.
	for _, stream := range []string{
		streamJobs, streamResults, "KV_" + bucketClaims, "KV_" + bucketClasses, "KV_" + bucketMachines, "KV_" + bucketOrders, "KV_" + bucketDrains, "OBJ_" + BucketFiles,
	} {
		p.Publish = append(p.Publish, "$JS.API.CONSUMER.CREATE."+stream, "$JS.API.CONSUMER.CREATE."+stream+".>",
			"$JS.API.CONSUMER.DELETE."+stream+".*", "$JS.API.CONSUMER.INFO."+stream+".*")
	}
	files := []string{"$O." + BucketFiles + ".C.>", "$O." + BucketFiles + ".M.>", "$JS.API.STREAM.PURGE.OBJ_" + BucketFiles}
	if c.Has(RoleSubmit) || c.Has(RoleWork) {
		p.Publish = append(p.Publish, files...)
	}
	if c.Has(RoleSubmit) {
		p.Publish = append(p.Publish, subjectJobs+".*.*.*", "$KV."+bucketClasses+".>", "$KV."+bucketOrders+".cancel.*")
		p.Subscribe = append(p.Subscribe, subjectEvents+".*")
	}
	if c.Has(RoleWork) {
		p.Publish = append(p.Publish, subjectResults+".*", subjectEvents+".*", "$KV."+bucketClaims+".*", "$KV."+bucketMachines+"."+c.Key,
			"$JS.API.CONSUMER.MSG.NEXT."+streamJobs+".*", "$JS.ACK."+streamJobs+".>")
	}
	if c.Has(RoleAdminister) {
		p.Publish = append(p.Publish, "$JS.API.>", "$KV."+bucketOrders+".>", "$KV."+bucketDrains+".>", "_INBOX.>")
		p.Subscribe = append(p.Subscribe, subjectJoin+".*")
	}
	return p
}

// isConflict reports whether a write failed because another member has written before.
func isConflict(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant
	}
	return errors.Is(err, jetstream.ErrKeyExists)
}
