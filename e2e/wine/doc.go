// Package wine tests the program for Windows as far as Wine goes, with real files, a real named
// pipe and a real service control manager. Its Blender is the module bpy for Windows in Python for
// Windows, which is Blender itself without a window, or where bpy can't be had a stand-in without a
// scene; then the tests whose names begin with TestInBlender are left out.
// scripts/test-windows.sh prepares all that and calls the tests.
package wine
