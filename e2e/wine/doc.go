// Package wine tests the program for Windows as far as Wine goes, with real files, a real named
// pipe and a real service control manager. Python for Windows takes the place of Blender, with the
// add-on and without a scene. scripts/test-windows.sh prepares all that and calls the tests.
package wine
