package files

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

// Source is a file of this machine and the name that it has in a tree.
type Source struct {
	Name, Path string
}

// Send sends files and the list of them, and returns the blob of the list with the tree. What the store
// has is not sent again. tell, unless it is nil, is called with the bytes that are done, on several
// goroutines. Send fails when a file can't be read, and as [Store.PutFile] does.
func Send(ctx context.Context, store *Store, all []Source, tell func(done, all int64)) (Blob, Tree, error) {
	if tell == nil {
		tell = func(int64, int64) {}
	}
	var size int64
	for _, one := range all {
		info, err := os.Stat(one.Path)
		if err != nil {
			return Blob{}, Tree{}, err
		}
		if !info.Mode().IsRegular() {
			return Blob{}, Tree{}, fmt.Errorf("%s is no file", one.Path)
		}
		size += info.Size()
	}
	entries := make([]Entry, len(all))
	var done atomic.Int64
	numbers := make([]int, len(all))
	for i := range numbers {
		numbers[i] = i
	}
	err := forEach(ctx, numbers, func(ctx context.Context, i int) error {
		var before int64
		blob, err := store.PutFile(ctx, all[i].Path, func(now int64) {
			tell(done.Add(now-before), size)
			before = now
		})
		entries[i] = Entry{all[i].Name, blob}
		return err
	})
	if err != nil {
		return Blob{}, Tree{}, err
	}
	tree, err := NewTree(entries)
	if err != nil {
		return Blob{}, tree, err
	}
	data, err := tree.Encode()
	if err != nil {
		return Blob{}, tree, err
	}
	list, err := store.PutBytes(ctx, data)
	return list, tree, err
}

// Receive brings files from a store into a folder, which it makes, each as a whole or not at all. A file
// that is there with the same bytes stays as it is; another file of the name is replaced. It fails when
// a name leads out of the folder, through symbolic links, too, when a file is missing or torn, and with
// [ErrDiskFull]; what came before stays.
func Receive(ctx context.Context, store *Store, all []Entry, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return diskError(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, e := range all {
		if err := CheckName(e.Name); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return forEach(ctx, all, func(ctx context.Context, e Entry) error {
		if err := receive(ctx, store, e, root); err != nil {
			return fmt.Errorf("bring %s to %s: %w", e.Name, dir, err)
		}
		return nil
	})
}

func receive(ctx context.Context, store *Store, e Entry, root *os.Root) (err error) {
	if same(root, e) {
		return nil
	}
	name := filepath.FromSlash(e.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return diskError(err)
	}
	// The random part of the name keeps apart what is brought at the same time: frames may be equal.
	part := filepath.FromSlash(path.Join(path.Dir(e.Name), fmt.Sprintf(".%s-%s.part", e.Hash.Short(), rand.Text())))
	f, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return diskError(err)
	}
	defer func() {
		if err != nil {
			_ = root.Remove(part)
		}
	}()
	err = store.Get(ctx, e.Blob, onDisk{f})
	if err == nil {
		err = diskError(f.Sync())
	}
	if closed := f.Close(); err == nil {
		err = diskError(closed)
	}
	if err == nil {
		err = diskError(root.Rename(part, name))
	}
	return err
}

// same reports whether the file of an entry is there already.
func same(root *os.Root, e Entry) bool {
	f, err := root.Open(filepath.FromSlash(e.Name))
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != e.Size {
		return false
	}
	got, err := BlobOf(f)
	return err == nil && got == e.Blob
}
