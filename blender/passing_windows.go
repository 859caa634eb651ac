package blender

import "golang.org/x/sys/windows"

// etxtbsy is the error for a program that somebody is writing.
const etxtbsy = windows.ERROR_SHARING_VIOLATION
