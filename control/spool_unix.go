//go:build unix

package control

import "os"

// tempFile makes a file that is gone when it is closed, however that comes.
func tempFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "blendtray-output-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close() // nothing is in it
		return nil, err
	}
	return f, nil
}
