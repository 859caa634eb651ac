//go:build unix

package control

import "os"

// tempFile returns a new file that disappears when it is closed, even if the engine is killed.
func tempFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "blendtray-output-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close() // the file is empty
		return nil, err
	}
	return f, nil
}
