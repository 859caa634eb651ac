//go:build unix

package buffer

import "os"

// tempFile returns a new file that has no name any more, and so is gone when the process is.
func tempFile(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "blendtray-text-*")
	if err == nil {
		err = os.Remove(file.Name())
	}
	return file, err
}

// release gives a file back to the system. Nobody needs what it has, so that errors mean nothing.
func release(file *os.File) { _ = file.Close() }
