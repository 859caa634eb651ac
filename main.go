// Blendtray keeps a Blender warm and runs scripts in it as they are saved.
package main

import (
	"os"

	"blendtray/app"
)

func main() { os.Exit(app.Main()) }
