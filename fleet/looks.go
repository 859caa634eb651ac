package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"blendtray/api"
)

// maxLook is how many bytes the picture of a look may have. The largest has some megabytes.
const maxLook = 64 << 20

// lookWithin returns a look at the scene of a confined session, whose Blender can't write where the engine
// wants the picture: it writes the picture into its own store. end brings the picture from there.
func (f *Fleet) lookWithin(s *session, text string) (within string, end func(ok bool) error, err error) {
	end = func(bool) error { return nil }
	var look api.Look
	if err := json.Unmarshal([]byte(text), &look); err != nil {
		return "", nil, err
	}
	if look.File == "" {
		return text, end, nil
	}
	store := f.storeOf(s)
	if store == "" {
		return "", nil, errors.New("there is no folder in which this Blender may write a picture")
	}
	wanted, name := look.File, filepath.Base(look.File)
	look.File = filepath.Join(store, name)
	told, err := json.Marshal(look)
	return string(told), func(ok bool) error {
		if !ok {
			return nil
		}
		return bring(store, name, wanted)
	}, err
}

// bring copies a file of a folder that others write to, and removes it there. It fails for what is no
// file, is a link that leads out of the folder, or is too long.
func bring(dir, name, to string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	defer func() { _ = root.Remove(name) }() // it goes with the folder, otherwise
	info, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("read the picture: %w", err)
	}
	// The file may be another by now, so a pipe must not hold up the engine, and a link not lead out.
	from, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return fmt.Errorf("read the picture: %w", err)
	}
	defer from.Close()
	is, err := from.Stat()
	switch {
	case err != nil:
		return err
	case !is.Mode().IsRegular() || !info.Mode().IsRegular():
		return errors.New("read the picture: it is no file")
	case is.Size() > maxLook:
		return fmt.Errorf("read the picture: it has %d bytes, and may have %d", is.Size(), maxLook)
	}
	made, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(made, io.LimitReader(from, maxLook))
	if err = errors.Join(err, made.Close()); err != nil {
		_ = os.Remove(to)
	}
	return err
}
