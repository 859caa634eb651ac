# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the wait of a thread in a system call on Windows, where no signal wakes the thread.

On the other systems a signal does, see `interrupt`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_OWN_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_THREAD_TERMINATE = 1  # the right that CancelSynchronousIo asks for


def end_wait(thread: int) -> bool:
    """Have what a thread waits for end, as far as Windows has a way; returns whether it had one.

    A read or a write of a file, a pipe or a socket fails with an OSError. A child process that is
    waited for ends, as what a run has started does at the end of the run. Nothing ends the wait for
    a lock.
    """
    if sys.platform != "win32":
        return False
    ended = False
    kernel = ctypes.WinDLL("kernel32")
    kernel.OpenThread.restype = ctypes.c_void_p
    waiting = kernel.OpenThread(_THREAD_TERMINATE, False, thread)
    if waiting:
        ended = bool(kernel.CancelSynchronousIo(ctypes.c_void_p(waiting)))
        kernel.CloseHandle(ctypes.c_void_p(waiting))
    for frame in _script_frames(thread):
        ended |= _end_child(frame)
    if not ended:
        for handle in _sockets_of(thread) | _other_sockets(thread):
            ended |= bool(kernel.CancelIoEx(ctypes.c_void_p(handle), None))
    return ended


def _script_frames(thread: int) -> Iterator[FrameType]:
    """Yield the frames of a thread that belong to the script, the innermost first."""
    frame = sys._current_frames().get(thread)
    while frame is not None and not frame.f_code.co_filename.startswith(_OWN_FOLDER):
        yield frame
        frame = frame.f_back


def _end_child(frame: FrameType) -> bool:
    """End the child that a function of `subprocess` waits for in this frame, if it does."""
    subprocess = sys.modules.get("subprocess")
    if subprocess is None or frame.f_code.co_filename != subprocess.__file__:
        return False
    child = frame.f_locals.get("self")
    if not isinstance(child, subprocess.Popen) or child.returncode is not None:
        return False
    try:
        child.kill()
    except (OSError, AttributeError):  # the child has ended, or is only being started
        return False
    return True


def _sockets_of(thread: int) -> set[int]:
    """Return the handles of the sockets that the variables of a thread's script name."""
    return {
        handle
        for frame in _script_frames(thread)
        for value in list(frame.f_locals.values())
        for handle in _handle(value)
    }


def _other_sockets(thread: int) -> set[int]:
    """Return the handles of the sockets that no variable of another thread names.

    A call may hold the only reference to the socket that it waits for.
    """
    found = {handle for value in gc.get_objects() for handle in _handle(value)}
    for other in sys._current_frames():
        if other != thread:
            found -= _sockets_of(other)
    return found


def _handle(value: Any) -> Iterator[int]:
    """Yield the handle of a socket on which somebody may wait, and nothing for another object."""
    module = sys.modules.get("_socket")
    if module is None:
        return
    kind = type(value)
    if kind.__module__ == "socket" and kind.__name__ == "SocketIO":
        value = getattr(value, "_sock", None)
    # The type is asked, because the object may answer by methods of its own.
    if issubclass(type(value), module.socket) and value.fileno() != -1 and value.gettimeout() != 0:
        yield value.fileno()
