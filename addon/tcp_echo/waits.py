# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the wait of a thread in a system call on Windows, where no signal wakes the thread.

On the other systems a signal does, see `interrupt`.
"""

from __future__ import annotations

import contextlib
import ctypes
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
    handle = kernel.OpenThread(_THREAD_TERMINATE, False, thread)
    if handle:
        ended = bool(kernel.CancelSynchronousIo(ctypes.c_void_p(handle)))
        kernel.CloseHandle(ctypes.c_void_p(handle))
    for frame in _script_frames(thread):
        ended |= _end_child(frame)
        for descriptor in _sockets(frame):
            ended |= bool(kernel.CancelIoEx(ctypes.c_void_p(descriptor), None))
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
    with contextlib.suppress(OSError):  # the child has ended
        child.kill()
    return True


def _sockets(frame: FrameType) -> Iterator[int]:
    """Yield the handles of the sockets that the variables of a frame name."""
    module = sys.modules.get("_socket")
    if module is None:
        return
    for value in list(frame.f_locals.values()):
        inner: Any = value
        if type(value).__module__ == "socket" and type(value).__name__ == "SocketIO":
            inner = getattr(value, "_sock", None)
        # `issubclass`, because asking an object may call its own methods.
        if issubclass(type(inner), module.socket):
            handle = inner.fileno()
            if handle != -1:
                yield handle
