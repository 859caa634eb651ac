package control

import "os"

// tempFile makes a file. Here an open one can't be removed, so it stays if the engine is
// killed, where the system clears up.
func tempFile(dir string) (*os.File, error) { return os.CreateTemp(dir, "blendtray-output-") }
