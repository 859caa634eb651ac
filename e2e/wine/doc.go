// Package wine tests the program for Windows as far as Wine goes, with real files, a real named
// pipe and a real service control manager. Blender is stood in for by Python for Windows, with
// the add-on in it and no scene; scripts/test-windows.sh makes all that and calls the tests.
package wine
