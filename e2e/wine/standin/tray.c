// Stands for the tray: a program that is started without arguments and stays. At each start it notes the folder
// in which it runs in the file that TRAY_NOTE names.
#include <stdio.h>
#include <windows.h>

int wmain(void)
{
	char folder[MAX_PATH];
	FILE *note = fopen(getenv("TRAY_NOTE") ? getenv("TRAY_NOTE") : "", "ab");
	if (note == NULL)
		return 1;
	GetCurrentDirectoryA(sizeof folder, folder);
	fprintf(note, "%s\n", folder);
	fclose(note);
	Sleep(INFINITE);
	return 0;
}
