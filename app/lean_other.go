//go:build !linux

package app

// unmapProgram does nothing: other systems count the pages of a program's file as the program's only while they need
// no memory for something else.
func unmapProgram() {}
