//go:build headless

package app

import "blendtray/app/fault"

// hasTray is false: this build has no tray.
const hasTray = false

// runTray prints what this build can do instead of showing a tray.
func runTray(e *env) error {
	e.printf("%s", welcome)
	return nil
}

// windowCmd does nothing in this build.
type windowCmd struct{}

// Run fails: this build has no window.
func (windowCmd) Run(*env) error {
	return fault.New(fault.Usage, "`blendtray --help` lists what there is", "this build has no window")
}

// welcome is the text that the program prints when it has nothing to do.
const welcome = `Blendtray runs a Python script in a warm Blender the moment it is saved.

  blendtray serve --folder DIR   keep Blender warm and watch a folder (Ctrl-C ends it)
  blendtray run script.py        run one script in it and see what it prints
  blendtray status               see how everything is

` + "`blendtray --help` lists all commands, `blendtray doctor` finds out what is wrong.\n"
