package buffer

import "os"

// tempFile returns a new file. Windows keeps the names of open files.
func tempFile(dir string) (*os.File, error) { return os.CreateTemp(dir, "blendtray-text-*") }

// release removes a file. Nobody needs what it has, so that errors mean nothing.
func release(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
}
