// Package examples holds scripts that people would really drop into a watched folder. One of
// them is in the program itself, for whoever starts it the first time.
//
// Its tests run each script as a newcomer would under plain Blender. That they run in a warm
// one is tried in e2e.
package examples

import _ "embed"

// FirstLight is first_light.py.
//
//go:embed first_light.py
var FirstLight []byte
