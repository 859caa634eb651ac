/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stands in for blender.exe in tests: Python for Windows in a program of its own, which runs
 * SCRIPT with the options of Blender's command line. It lies beside python311.dll.
 */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

int wmain(int argc, wchar_t **argv) {
	wchar_t home[MAX_PATH];
	GetModuleFileNameW(NULL, home, MAX_PATH);
	*wcsrchr(home, L'\\') = 0;
	_wputenv_s(L"PYTHONHOME", home);
	_wputenv_s(L"PYTHONPATH", MODULES);
	HMODULE python = LoadLibraryW(L"python311.dll");
	if (!python) {
		fwprintf(stderr, L"no python311.dll beside this program: error %lu\n", GetLastError());
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
