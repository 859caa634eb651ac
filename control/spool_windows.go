package control

import "os"

// tempFile returns a new file. On Windows an open file can't be removed, so the file stays in
// dir if the engine is killed, until the system clears up.
func tempFile(dir string) (*os.File, error) { return os.CreateTemp(dir, "blendtray-output-") }
