// Holds a file open, as a virus scanner does, so that nobody can move it, until its standard input ends.
// hold FILE prints "held" when it does.
#include <windows.h>

int wmain(int argc, wchar_t **argv)
{
	char byte;
	DWORD n;
	if (argc < 2)
		return 2;
	if (CreateFileW(argv[1], GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL) ==
	    INVALID_HANDLE_VALUE)
		return 1;
	WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "held", 4, &n, NULL);
	while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &n, NULL) && n > 0)
		;
	return 0;
}
