// Package examples has scripts that people would really drop into a watched folder. One of them,
// first_light.py, is in the program itself, for its first start.
//
// The tests here run each script under plain Blender, as a newcomer would. The tests in e2e run
// them in a warm Blender.
package examples

import _ "embed"

// FirstLight is the text of first_light.py.
//
//go:embed first_light.py
var FirstLight []byte
