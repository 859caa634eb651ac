package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A file is kept as objects of at most partBytes. So a file that was cut off goes on where it was, only
// the parts of a new version that differ are sent, and only one part at a time is on its way: a server
// takes 128 MB a stream at once and refuses what is more. A file of one part is the object of its bytes.
// A longer file has an index besides: an object, under the hash of the file, that lists its parts.
const (
	partBytes = 8 << 20
	// chunkBytes is the size of a message. Each message is an entry of the server's disk, so a few large
	// messages are quicker than many small ones; the standard limit of a server is 1 MiB.
	chunkBytes = 512 << 10
	// maxParts bounds what is read of an index: a file of 16 TiB.
	maxParts = 2 << 20
)

const (
	partName  = "part-"
	indexName = "file-"
)

var (
	// ErrMissing is returned for a file that is not in the store, or not any more.
	ErrMissing = errors.New("the file is not on the farm's server")
	// ErrTorn is returned for a file whose bytes are not those of its hash.
	ErrTorn = errors.New("the file is not what its hash says")
	// ErrChanged is returned for a file that was written while it was being sent.
	ErrChanged = errors.New("the file was changed while it was being sent")
	// ErrFull is returned when the server has no room for a file.
	ErrFull = errors.New("the farm's server has no room for more files")
)

// Limits say how much a store keeps.
type Limits struct {
	// MaxBytes is how many bytes the store takes; 0 is no limit.
	MaxBytes int64
	// TTL is for how long a file is kept after it was sent; 0 is for ever. A file that is used again
	// in the second half of that time is sent again.
	TTL time.Duration
}

// Store keeps files by content in an object store of JetStream. Its methods may be called at the same
// time.
type Store struct {
	js      jetstream.JetStream
	objects jetstream.ObjectStore
	bucket  string
	ttl     time.Duration
	sent    atomic.Int64
	fetched atomic.Int64
}

// Create makes the object store on the server unless it is there, and opens it. It fails when the
// server can't be reached, or does not allow it.
func Create(ctx context.Context, js jetstream.JetStream, bucket string, limits Limits) (*Store, error) {
	size := limits.MaxBytes
	if size == 0 {
		size = -1
	}
	objects, err := js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket:      bucket,
		Description: "files of jobs, by content",
		TTL:         limits.TTL,
		MaxBytes:    size,
		Storage:     jetstream.FileStorage,
	})
	if err != nil {
		return nil, fmt.Errorf("make the store of files %s: %w", bucket, err)
	}
	return &Store{js: js, objects: objects, bucket: bucket, ttl: limits.TTL}, nil
}

// Open opens an object store that is there. It fails when the store is not there.
func Open(ctx context.Context, js jetstream.JetStream, bucket string) (*Store, error) {
	objects, err := js.ObjectStore(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("open the store of files %s: %w", bucket, err)
	}
	status, err := objects.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the store of files %s: %w", bucket, err)
	}
	return &Store{js: js, objects: objects, bucket: bucket, ttl: status.TTL()}, nil
}

// Sent returns how many bytes of files this Store has sent, and Fetched how many it has fetched.
func (s *Store) Sent() int64 { return s.sent.Load() }

// Fetched returns how many bytes of files this Store has fetched.
func (s *Store) Fetched() int64 { return s.fetched.Load() }

// index lists the parts of a file.
type index struct {
	Size  int64  `json:"size"`
	Parts []Hash `json:"parts"`
}

// scan reads a file of a size to its end and returns its blob and its parts. It fails with [ErrChanged] when
// the file is longer.
func scan(r io.Reader, size int64) (Blob, index, error) {
	whole, in := sha256.New(), index{Parts: []Hash{}}
	buffer := make([]byte, min(partBytes, size+1))
	for {
		n, err := io.ReadFull(r, buffer)
		if n == len(buffer) && n < partBytes {
			return Blob{}, in, ErrChanged
		}
		if n > 0 {
			whole.Write(buffer[:n])
			in.Parts = append(in.Parts, HashOf(buffer[:n]))
			in.Size += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Blob{Hash(hex.EncodeToString(whole.Sum(nil))), in.Size}, in, nil
		}
		if err != nil {
			return Blob{}, in, err
		}
	}
}

// PutFile sends a file unless its content is in the store, and returns its blob. tell, unless it is nil, is
// called with the bytes that are done, sent or not. PutFile fails when the file can't be read or changes
// meanwhile ([ErrChanged]), when the server has no room ([ErrFull]), and when ctx ends.
func (s *Store) PutFile(ctx context.Context, path string, tell func(done int64)) (Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return Blob{}, err
	}
	defer f.Close()
	blob, err := s.put(ctx, f, tell)
	if err != nil {
		return blob, fmt.Errorf("send %s: %w", path, err)
	}
	return blob, nil
}

// PutBytes sends bytes as the content of a file, as [Store.PutFile] does.
func (s *Store) PutBytes(ctx context.Context, data []byte) (Blob, error) {
	return s.put(ctx, bytes.NewReader(data), nil)
}

func (s *Store) put(ctx context.Context, r io.ReadSeeker, tell func(done int64)) (Blob, error) {
	if tell == nil {
		tell = func(int64) {}
	}
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return Blob{}, err
	}
	blob, in, err := scan(r, size)
	if err != nil {
		return blob, err
	}
	long := len(in.Parts) > 1
	if long && s.has(ctx, indexName+string(blob.Hash)) {
		tell(blob.Size)
		return blob, nil
	}
	buffer := make([]byte, min(partBytes, max(1, blob.Size)))
	var done int64
	for i, part := range in.Parts {
		if s.has(ctx, partName+string(part)) {
			done = min(blob.Size, int64(i+1)*partBytes)
			tell(done)
			continue
		}
		if _, err := r.Seek(int64(i)*partBytes, io.SeekStart); err != nil {
			return blob, err
		}
		n, err := io.ReadFull(r, buffer)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return blob, err
		}
		if HashOf(buffer[:n]) != part {
			return blob, ErrChanged
		}
		if err := s.putObject(ctx, partName+string(part), buffer[:n]); err != nil {
			return blob, err
		}
		s.sent.Add(int64(n))
		done += int64(n)
		tell(done)
	}
	if len(in.Parts) == 0 { // an empty file has an object, too, so that it is known whether it was sent
		if name := partName + string(blob.Hash); !s.has(ctx, name) {
			return blob, s.putObject(ctx, name, nil)
		}
	}
	if !long {
		return blob, nil
	}
	data, err := json.Marshal(in)
	if err != nil {
		return blob, err
	}
	// The index comes last: where it is, all parts are.
	return blob, s.putObject(ctx, indexName+string(blob.Hash), data)
}

// has reports whether an object is in the store, complete, and will be for a while. An object that was
// cut off has an entry but not all of its messages.
func (s *Store) has(ctx context.Context, name string) bool {
	info, err := s.objects.GetInfo(ctx, name)
	if err != nil || s.ttl > 0 && time.Since(info.ModTime) > s.ttl/2 {
		return false
	}
	if info.Size == 0 {
		return true
	}
	stream, err := s.js.Stream(ctx, "OBJ_"+s.bucket)
	if err != nil {
		return false
	}
	subject := "$O." + s.bucket + ".C." + info.NUID
	found, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	return err == nil && found.State.Subjects[subject] == uint64(info.Chunks)
}

// putObject sends an object, again and again while the server is too busy or out of reach.
func (s *Store) putObject(ctx context.Context, name string, data []byte) error {
	return s.retry(ctx, func(ctx context.Context) error {
		_, err := s.objects.Put(ctx, jetstream.ObjectMeta{
			Name: name,
			Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(min(chunkBytes, max(64<<10, s.js.Conn().MaxPayload()-4096)))},
		}, bytes.NewReader(data))
		return err
	})
}

const (
	// partTime is how long one object may take; attempts is how often it is tried.
	partTime = time.Minute
	attempts = 8
	// tornAttempts is how often bytes are fetched that are not what they should be: another machine may be
	// replacing them at the moment.
	tornAttempts = 3
)

// retry calls f until it succeeds, ctx ends, or f fails in a way that does not pass.
func (s *Store) retry(ctx context.Context, f func(ctx context.Context) error) error {
	wait := 50 * time.Millisecond
	for n := 1; ; n++ {
		own, cancel := context.WithTimeout(ctx, partTime)
		err := f(own)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !passes(err) || n == attempts || n == tornAttempts && errors.Is(err, ErrTorn):
			return explained(err)
		}
		// Many who were refused at the same moment must not come back at the same moment.
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// noRoom are numbers of errors by which a server says that it has no room.
var noRoom = map[jetstream.ErrorCode]bool{
	10023: true, // insufficient resources
	10047: true, // insufficient storage resources available
	10077: true, // a message could not be stored
}

// passes reports whether what failed may succeed a moment later.
func passes(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == 429 || api.Code == 503 && !noRoom[api.ErrorCode]
	}
	for _, never := range []error{
		jetstream.ErrObjectNotFound, jetstream.ErrBucketNotFound, jetstream.ErrBadObjectMeta, nats.ErrPermissionViolation,
		nats.ErrAuthorization, nats.ErrConnectionClosed, nats.ErrMaxPayload, ErrMissing, errDisk,
	} {
		if errors.Is(err, never) {
			return false
		}
	}
	return true
}

// explained returns the error with what it means to a person, where that is known.
func explained(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && noRoom[api.ErrorCode] {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return ErrMissing
	}
	return err
}

// errDisk marks errors of this machine's disk, which don't pass by asking the server again.
var errDisk = errors.New("this machine's disk")

// Get writes the content of a file into w, each part of it after it was checked. It fails with
// [ErrMissing] when the store does not have the file, with [ErrTorn] when its bytes are others, and as w
// does; w may have got a part then.
func (s *Store) Get(ctx context.Context, blob Blob, w io.Writer) error {
	if err := blob.check(); err != nil {
		return err
	}
	parts := []Hash{blob.Hash}
	if blob.Size > partBytes {
		in, err := s.index(ctx, blob)
		if err != nil {
			return err
		}
		parts = in.Parts
	}
	whole := sha256.New()
	var size int64
	for i, part := range parts {
		data, err := s.part(ctx, part, min(partBytes, blob.Size-int64(i)*partBytes))
		if err != nil {
			return err
		}
		size += int64(len(data))
		whole.Write(data)
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if size != blob.Size || hex.EncodeToString(whole.Sum(nil)) != string(blob.Hash) {
		return ErrTorn
	}
	return nil
}

// GetBytes returns the content of a file of at most limit bytes. It fails as [Store.Get] does.
func (s *Store) GetBytes(ctx context.Context, blob Blob, limit int64) ([]byte, error) {
	if blob.Size > limit {
		return nil, fmt.Errorf("a file of %d bytes; here it may have %d", blob.Size, limit)
	}
	var b bytes.Buffer
	err := s.Get(ctx, blob, &b)
	return b.Bytes(), err
}

// Tree returns the list of files that a blob is, as [Send] has sent it. It fails as [Store.Get] does, and with a name
// that this system refuses.
func (s *Store) Tree(ctx context.Context, list Blob) (Tree, error) {
	_, t, err := s.tree(ctx, list)
	return t, err
}

func (s *Store) tree(ctx context.Context, list Blob) (data []byte, t Tree, err error) {
	if data, err = s.GetBytes(ctx, list, maxTree); err != nil {
		return nil, t, fmt.Errorf("fetch the list of files %s: %w", list.Hash.Short(), err)
	}
	t, err = DecodeTree(data)
	return data, t, err
}

// index returns the list of the parts of a file, which must be of the right number. Whether the list is
// right is known when the whole file is there.
func (s *Store) index(ctx context.Context, blob Blob) (in index, err error) {
	want := (blob.Size + partBytes - 1) / partBytes
	if want > maxParts {
		return in, fmt.Errorf("a file of %d bytes is too long", blob.Size)
	}
	data, err := s.object(ctx, indexName+string(blob.Hash), 64+want*80)
	if err != nil {
		return in, err
	}
	if err := json.Unmarshal(data, &in); err != nil || in.Size != blob.Size || int64(len(in.Parts)) != want {
		return in, ErrTorn
	}
	for _, part := range in.Parts {
		if !part.Valid() {
			return in, ErrTorn
		}
	}
	return in, nil
}

// part returns the bytes of a part, checked.
func (s *Store) part(ctx context.Context, part Hash, size int64) (data []byte, err error) {
	err = s.retry(ctx, func(ctx context.Context) error {
		data, err = s.object(ctx, partName+string(part), size)
		if err == nil && HashOf(data) != part {
			err = ErrTorn
		}
		return err
	})
	if err == nil {
		s.fetched.Add(int64(len(data)))
	}
	return data, err
}

// object returns the bytes of an object, of which there may be so many.
func (s *Store) object(ctx context.Context, name string, most int64) ([]byte, error) {
	got, err := s.objects.Get(ctx, name)
	if err != nil {
		return nil, explained(err)
	}
	defer got.Close()
	data, err := io.ReadAll(io.LimitReader(got, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, ErrTorn
	}
	return data, nil
}

// Delete removes a file from the store. It is no error when the file is not there.
func (s *Store) Delete(ctx context.Context, blob Blob) error {
	if err := blob.check(); err != nil {
		return err
	}
	names := []string{partName + string(blob.Hash)}
	if blob.Size > partBytes {
		in, err := s.index(ctx, blob)
		if errors.Is(err, ErrMissing) {
			return nil
		}
		names = []string{indexName + string(blob.Hash)}
		for _, part := range in.Parts {
			names = append(names, partName+string(part))
		}
	}
	for _, name := range names {
		if err := s.objects.Delete(ctx, name); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
			return err
		}
	}
	return nil
}
