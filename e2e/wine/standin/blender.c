/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Takes the place of blender.exe in tests: Python for Windows in a program of its own, which runs
 * SCRIPT with the options of Blender's command line. Python lies in PYTHON, and MODULES has the
 * module bpy: Blender itself, or a stand-in. As in Blender, a script that crashes or ends its
 * process ends this program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

int wmain(int argc, wchar_t **argv) {
	_wputenv_s(L"PYTHONHOME", PYTHON);
	_wputenv_s(L"PYTHONPATH", MODULES);
	SetDllDirectoryW(PYTHON); /* for the libraries that python311.dll and its modules need */
	HMODULE python = LoadLibraryW(PYTHON L"\\python311.dll");
	if (!python) {
		fwprintf(stderr, L"no python311.dll in %ls: error %lu\n", PYTHON, GetLastError());
		return 120;
	}
	int (*run)(int, wchar_t **) = (int (*)(int, wchar_t **))(void *)GetProcAddress(python, "Py_Main");
	wchar_t **all = calloc(argc + 4, sizeof *all);
	int n = 0;
	all[n++] = argv[0];
	all[n++] = L"-P"; /* nothing is imported from where the script lies */
	all[n++] = SCRIPT;
	for (int i = 1; i < argc; i++)
		all[n++] = argv[i];
	return run(n, all);
}
