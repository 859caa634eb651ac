package home

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts a text in the place of a file, or makes the file, so that nobody ever reads half
// of the text. If check is not nil, Replace calls it when the new file is ready, and check may
// still forbid the change with an error. When Replace fails, the old file is still there.
func Replace(file string, text []byte, mode fs.FileMode, check func() error) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil && check != nil {
		err = check()
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to return
	}
	return err
}
