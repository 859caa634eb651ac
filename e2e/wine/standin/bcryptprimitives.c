/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one function that programs made with Go need of this library, which Wine 8 lacks. For
 * tests only.
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(void *data, ULONG size); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size) {
	while (size > 0) {
		ULONG part = size > 0x10000 ? 0x10000 : (ULONG)size;
		if (!SystemFunction036(data, part))
			return FALSE;
		data += part;
		size -= part;
	}
	return TRUE;
}
