package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrTooBig is returned for a tree that has more bytes than a cache may hold.
var ErrTooBig = errors.New("the files are more than this machine may keep of them")

// ErrDiskFull is returned when a file can't be written because the disk is full.
var ErrDiskFull = errors.New("the disk is full")

// Cache keeps what one machine has fetched of a store. Its methods may be called at the same time; two
// processes must not use the same folder.
//
// Files lie by content in blobs/, and are linked into a folder for each tree in trees/, so that a tree has
// the same paths whenever it is used, and a file that several trees have is there once. The time of a
// tree's list says when the tree was used last.
type Cache struct {
	dir   string
	limit func() int64

	mu       sync.Mutex
	trees    map[Hash]*cached
	blobs    map[Hash]int64         // the sizes of the files that are there
	pending  map[Hash]chan struct{} // the files that are being fetched or checked
	verified map[string]stamp       // the files whose bytes were checked, by path
}

// cached is a tree of which files are there.
type cached struct {
	tree  Tree
	users int
	used  time.Time
	// placing is held while files are linked into the folder of the tree.
	placing sync.Mutex
}

// stamp is what changes when a file is written again.
type stamp struct {
	size int64
	time time.Time
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }

// OpenCache opens the cache in a folder, which it makes, and removes what an earlier process has left
// half done. limit returns how many bytes of files it may hold now, 0 for no limit.
func OpenCache(dir string, limit func() int64) (*Cache, error) {
	c := &Cache{
		dir: dir, limit: limit,
		trees: map[Hash]*cached{}, blobs: map[Hash]int64{}, pending: map[Hash]chan struct{}{}, verified: map[string]stamp{},
	}
	if err := os.RemoveAll(c.incoming()); err != nil {
		return nil, err
	}
	for _, sub := range []string{c.incoming(), filepath.Join(dir, "blobs"), filepath.Join(dir, "trees")} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, err
		}
	}
	if err := c.readBlobs(); err != nil {
		return nil, err
	}
	if err := c.readTrees(); err != nil {
		return nil, err
	}
	c.removeUnlisted()
	return c, nil
}

func (c *Cache) incoming() string { return filepath.Join(c.dir, "incoming") }
func (c *Cache) blobPath(h Hash) string {
	return filepath.Join(c.dir, "blobs", string(h[:2]), string(h))
}
func (c *Cache) treePath(h Hash) string { return filepath.Join(c.dir, "trees", string(h)) }
func (c *Cache) listPath(h Hash) string { return c.treePath(h) + ".json" }
func (c *Cache) entryPath(h Hash, e Entry) string {
	return filepath.Join(c.treePath(h), filepath.FromSlash(e.Name))
}

func (c *Cache) readBlobs() error {
	return filepath.WalkDir(filepath.Join(c.dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if h := Hash(d.Name()); h.Valid() && path == c.blobPath(h) {
			c.blobs[h] = info.Size()
		}
		return nil
	})
}

// readTrees finds the trees. A list that can't be read was being written when the machine went down.
func (c *Cache) readTrees() error {
	found, err := os.ReadDir(filepath.Join(c.dir, "trees"))
	if err != nil {
		return err
	}
	for _, d := range found {
		name, isList := strings.CutSuffix(d.Name(), ".json")
		h := Hash(name)
		if !isList || !h.Valid() {
			continue
		}
		data, err := os.ReadFile(c.listPath(h))
		if err != nil {
			return err
		}
		tree, err := DecodeTree(data)
		info, infoErr := d.Info()
		if err != nil || infoErr != nil || HashOf(data) != h {
			_ = os.Remove(c.listPath(h)) // the folder goes with what is unlisted
			continue
		}
		c.trees[h] = &cached{tree: tree, used: info.ModTime()}
	}
	return nil
}

// removeUnlisted removes the folders and files of no tree. What can't be removed stays until the next
// start.
func (c *Cache) removeUnlisted() {
	found, err := os.ReadDir(filepath.Join(c.dir, "trees"))
	if err != nil {
		return
	}
	for _, d := range found {
		name := strings.TrimSuffix(d.Name(), ".json")
		if c.trees[Hash(name)] == nil {
			_ = removeTree(filepath.Join(c.dir, "trees", d.Name()))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropBlobsLocked()
}

// removeTree removes a folder, whatever modes a job has given to the folders in it.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil // what matters is whether the folder can be removed now
	})
	return os.RemoveAll(dir)
}

// Bytes returns how many bytes of files are there.
func (c *Cache) Bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytesLocked()
}

func (c *Cache) bytesLocked() (sum int64) {
	for _, size := range c.blobs {
		sum += size
	}
	return sum
}

// CheckOut is a tree that a run uses. Its folder stays until [CheckOut.Release].
type CheckOut struct {
	// Dir is the folder with the files of the tree, which may not be written into: they are those of
	// other runs, too. New files beside them are removed when the last run has released the tree.
	Dir string
	// Tree is what Dir holds.
	Tree Tree

	cache *Cache
	hash  Hash
	once  sync.Once
}

// CheckOut returns a folder with the files of a tree, whose list is a file of the store. Each file is
// fetched unless it is there, and checked. tell, unless it is nil, is called with the bytes that are
// done, on several goroutines.
//
// CheckOut fails when the list or a file is missing or torn, when a name is refused, with [ErrTooBig] when
// the tree is larger than the cache may be, and with [ErrDiskFull].
func (c *Cache) CheckOut(ctx context.Context, store *Store, list Blob, tell func(done, all int64)) (*CheckOut, error) {
	if tell == nil {
		tell = func(int64, int64) {}
	}
	t, err := c.use(ctx, store, list)
	if err != nil {
		return nil, err
	}
	out := &CheckOut{Dir: c.treePath(list.Hash), Tree: t.tree, cache: c, hash: list.Hash}
	if err := c.fill(ctx, store, list.Hash, t, tell); err != nil {
		out.Release()
		return nil, err
	}
	return out, nil
}

// Hold returns a tree that a run of an earlier process uses or has used, as it is, so that what the run has left in
// its folder stays. ok is false when the tree is not there.
func (c *Cache) Hold(h Hash) (out *CheckOut, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trees[h]
	if t == nil {
		return nil, false
	}
	t.users++
	return &CheckOut{Dir: c.treePath(h), Tree: t.tree, cache: c, hash: h}, true
}

// use notes that a run uses a tree from now on, whose list it fetches if need be.
func (c *Cache) use(ctx context.Context, store *Store, list Blob) (*cached, error) {
	if err := list.check(); err != nil {
		return nil, err
	}
	now := time.Now()
	c.mu.Lock()
	if t := c.trees[list.Hash]; t != nil {
		t.users++
		t.used = now
		c.mu.Unlock()
		_ = os.Chtimes(c.listPath(list.Hash), now, now) // else the tree counts as used earlier
		return t, nil
	}
	c.mu.Unlock()
	data, tree, err := store.tree(ctx, list)
	if err != nil {
		return nil, err
	}
	if limit := c.limit(); limit > 0 && tree.Bytes() > limit {
		return nil, fmt.Errorf("%w: %d MB of files; %d MB are allowed", ErrTooBig, tree.Bytes()>>20, limit>>20)
	}
	if err := c.write(c.listPath(list.Hash), func(f *os.File) error { _, err := f.Write(data); return err }); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trees[list.Hash]
	if t == nil { // else another run was quicker
		t = &cached{tree: tree}
		c.trees[list.Hash] = t
	}
	t.users++
	t.used = now
	return t, nil
}

// atOnce is how many files are fetched at the same time. Each takes the memory of one part.
const atOnce = 4

// fill brings the files of a tree into its folder.
func (c *Cache) fill(ctx context.Context, store *Store, hash Hash, t *cached, tell func(done, all int64)) error {
	c.makeRoom(t.tree)
	all := t.tree.Bytes()
	var done atomic.Int64
	seen := map[Hash]bool{}
	var wanted []Blob
	for _, e := range t.tree.Files {
		if !seen[e.Hash] {
			seen[e.Hash] = true
			wanted = append(wanted, e.Blob)
		}
	}
	err := forEach(ctx, wanted, func(ctx context.Context, b Blob) error {
		err := c.ensure(ctx, store, b)
		if err != nil {
			return fmt.Errorf("fetch %s: %w", nameOf(t.tree, b.Hash), err)
		}
		tell(done.Add(b.Size), all)
		return nil
	})
	if err != nil {
		return err
	}
	t.placing.Lock()
	defer t.placing.Unlock()
	for _, e := range t.tree.Files {
		if err := c.place(hash, e); err != nil {
			return err
		}
	}
	return nil
}

// forEach calls f with each element, several at a time, and returns the first error, at which it stops.
func forEach[T any](ctx context.Context, all []T, f func(ctx context.Context, one T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, one := range all {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := f(ctx, one); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// nameOf returns a name that a content has in a tree.
func nameOf(t Tree, h Hash) string {
	i := slices.IndexFunc(t.Files, func(e Entry) bool { return e.Hash == h })
	return t.Files[i].Name
}

// ensure brings a file into the cache, or checks the file that is there. Of several callers for the same
// file one does it.
func (c *Cache) ensure(ctx context.Context, store *Store, b Blob) error {
	c.mu.Lock()
	for c.pending[b.Hash] != nil {
		wait := c.pending[b.Hash]
		c.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.mu.Lock()
	}
	mine := make(chan struct{})
	c.pending[b.Hash] = mine
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, b.Hash)
		c.mu.Unlock()
		close(mine)
	}()
	path := c.blobPath(b.Hash)
	if c.isIntact(path, b) {
		return nil
	}
	err := c.fetch(ctx, store, path, b)
	if errors.Is(err, ErrDiskFull) && c.dropUnused() {
		err = c.fetch(ctx, store, path, b)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.blobs[b.Hash] = b.Size
	c.mu.Unlock()
	return nil
}

// isIntact reports whether the file at a path has the bytes of a blob. It reads the file unless the file
// is as it was when it was read last.
func (c *Cache) isIntact(path string, b Blob) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != b.Size {
		return false
	}
	c.mu.Lock()
	known, ok := c.verified[path]
	c.mu.Unlock()
	if ok && known == stampOf(info) {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil || hex.EncodeToString(h.Sum(nil)) != string(b.Hash) {
		return false
	}
	c.verify(path, info)
	return true
}

// verify notes that the bytes of a file were checked.
func (c *Cache) verify(path string, info fs.FileInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verified[path] = stampOf(info)
}

// fetch writes the file of a blob.
func (c *Cache) fetch(ctx context.Context, store *Store, path string, b Blob) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return diskError(err)
	}
	if err := c.write(path, func(f *os.File) error { return store.Get(ctx, b, onDisk{f}) }); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	c.verify(path, info)
	return nil
}

// onDisk writes to a file of this machine and says so in its errors.
type onDisk struct{ w io.Writer }

func (d onDisk) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	return n, diskError(err)
}

// diskError marks an error of this machine's disk.
func diskError(err error) error {
	switch {
	case err == nil || errors.Is(err, errDisk):
		return err
	case isFull(err):
		return fmt.Errorf("%w: %w: %w", ErrDiskFull, errDisk, err)
	}
	return fmt.Errorf("%w: %w", errDisk, err)
}

// write makes a file that nobody may write, with what fill writes, as a whole or not at all.
func (c *Cache) write(path string, fill func(f *os.File) error) (err error) {
	f, err := os.CreateTemp(c.incoming(), "*")
	if err != nil {
		return diskError(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = fill(f)
	if err == nil {
		err = diskError(f.Sync())
	}
	if closed := f.Close(); err == nil {
		err = diskError(closed)
	}
	if err == nil {
		err = diskError(os.Chmod(f.Name(), 0o444))
	}
	if err == nil {
		err = diskError(os.Rename(f.Name(), path))
	}
	return err
}

// place links a file into the folder of a tree, where it may be there already, and replaces what a run has
// put in its place. On a disk that has no links the file is copied.
func (c *Cache) place(hash Hash, e Entry) error {
	from, to := c.blobPath(e.Hash), c.entryPath(hash, e)
	if source, err := os.Lstat(from); err == nil {
		if there, err := os.Lstat(to); err == nil && os.SameFile(source, there) {
			return nil
		}
	}
	if c.isIntact(to, e.Blob) {
		return nil
	}
	if err := c.makeFolder(hash, parent(e.Name)); err != nil {
		return diskError(err)
	}
	if err := removeTree(to); err != nil {
		return diskError(err)
	}
	if err := os.Link(from, to); err == nil {
		return nil
	}
	err := c.write(to, func(f *os.File) error {
		source, err := os.Open(from)
		if err != nil {
			return diskError(err)
		}
		defer source.Close()
		_, err = io.Copy(onDisk{f}, source)
		return err
	})
	if err == nil && !c.isIntact(to, e.Blob) {
		err = fmt.Errorf("%s: %w", e.Name, ErrTorn)
	}
	return err
}

// makeFolder makes the folders of a file in a tree. What a run has put in the place of a folder, such as
// a symbolic link, is removed, so that no file is written elsewhere.
func (c *Cache) makeFolder(hash Hash, dir string) error {
	path := c.treePath(hash)
	for _, part := range append([]string{""}, strings.Split(dir, "/")...) {
		path = filepath.Join(path, part)
		info, err := os.Lstat(path)
		if err == nil && info.IsDir() {
			continue
		}
		if err == nil {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// makeRoom removes the trees that were used the longest ago, and that no run uses, until the files of a
// tree have room. Where runs use the others, the cache is larger than its limit for as long as they do.
func (c *Cache) makeRoom(t Tree) {
	limit := c.limit()
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit <= 0 {
		return
	}
	var missing int64
	seen := map[Hash]bool{}
	for _, e := range t.Files {
		if _, there := c.blobs[e.Hash]; !there && !seen[e.Hash] {
			seen[e.Hash] = true
			missing += e.Size
		}
	}
	for c.bytesLocked()+missing > limit && c.dropOldestLocked() {
	}
}

// dropUnused removes all trees that no run uses, and reports whether there were any.
func (c *Cache) dropUnused() (dropped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.dropOldestLocked() {
		dropped = true
	}
	return dropped
}

// dropOldestLocked removes the tree that was used the longest ago and that no run uses, and reports
// whether there was one.
func (c *Cache) dropOldestLocked() bool {
	var oldest Hash
	for h, t := range c.trees {
		if t.users == 0 && (oldest == "" || t.used.Before(c.trees[oldest].used)) {
			oldest = h
		}
	}
	if oldest == "" {
		return false
	}
	delete(c.trees, oldest)
	// The list goes first: a folder without a list is removed at the next start. A folder in which a
	// program of Windows has a file open stays until then.
	_ = os.Remove(c.listPath(oldest))
	_ = removeTree(c.treePath(oldest))
	c.dropBlobsLocked()
	return true
}

// dropBlobsLocked removes the files that no tree has.
func (c *Cache) dropBlobsLocked() {
	kept := map[Hash]bool{}
	for _, t := range c.trees {
		for _, e := range t.tree.Files {
			kept[e.Hash] = true
		}
	}
	for h := range c.blobs {
		if !kept[h] && c.pending[h] == nil {
			_ = os.Remove(c.blobPath(h)) // the next start tries again
			delete(c.blobs, h)
			delete(c.verified, c.blobPath(h))
		}
	}
}

// Release says that a run does not use the tree any more. What runs have left in the folder is removed when
// no other run uses the tree.
func (o *CheckOut) Release() {
	o.once.Do(func() {
		c := o.cache
		c.mu.Lock()
		t := c.trees[o.hash]
		t.users--
		idle := t.users == 0
		if idle {
			t.users++ // while the folder is swept
		}
		c.mu.Unlock()
		if !idle {
			return
		}
		t.placing.Lock()
		c.sweep(o.hash, t.tree)
		t.placing.Unlock()
		c.mu.Lock()
		t.users--
		c.mu.Unlock()
	})
}

// sweep removes from the folder of a tree what is not of the tree. What can't be removed is of no harm:
// files of the tree are put back when the tree is used again.
func (c *Cache) sweep(hash Hash, t Tree) {
	dir := c.treePath(hash)
	own := map[string]bool{".": true}
	for _, e := range t.Files {
		own[e.Name] = true
		for p := parent(e.Name); p != "" && !own[p]; p = parent(p) {
			own[p] = true
		}
	}
	var strange []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a folder that a run has closed goes with removeTree, or stays
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || own[filepath.ToSlash(name)] {
			return nil
		}
		strange = append(strange, path)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	slices.Reverse(strange)
	for _, path := range strange {
		_ = removeTree(path)
	}
}
