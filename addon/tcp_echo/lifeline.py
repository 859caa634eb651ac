# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends this Blender when the supervisor's end of standard input closes."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# How long a script may take to end after that, in seconds: subprocess.run() waits a quarter of
# a second for its child before it kills the child.
_GRACE = 0.5


def read_first_line(descriptor: int) -> dict[str, Any]:
    """Return the supervisor's one line; raises ValueError when it is not a JSON object."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 4096)
        if not piece:
            raise ValueError("standard input ended before the first line was complete")
        line += piece
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("the first line of standard input is not a JSON object")
    return message


def watch(descriptor: int, request_quit: Callable[[], None]) -> None:
    """Call `request_quit` when the pipe ends, and end the process soon after."""
    ready = threading.Event()

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):  # without the alarm, this thread still ends the process
            try:
                _set_alarm_at_end(descriptor)
            finally:
                ready.set()
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            pass  # it means the same as the end of the pipe
        request_quit()
        time.sleep(_GRACE)
        os._exit(0)

    threading.Thread(target=wait_for_end, name="tcp_echo lifeline", daemon=True).start()
    ready.wait()


def _set_alarm_at_end(descriptor: int) -> None:
    """Have Linux kill the process a second after the pipe ends, without any Python.

    While a script is in a C function that holds Python's lock, no Python thread can run. The
    kernel sends SIGHUP to this thread when the pipe ends. The handler of SIGHUP is the C function
    alarm(), which takes the signal's number, 1, for the seconds until SIGALRM kills the process.
    On the main thread, the signal would end a sleep of the script, which would then go on.
    """
    if not sys.platform.startswith("linux"):
        return
    import fcntl

    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(signal.SIGHUP, ctypes.cast(libc.alarm, ctypes.c_void_p))
    set_signal = 10  # F_SETSIG, which fcntl does not name
    set_owner = 15  # F_SETOWN_EX, which fcntl does not name; 0 is F_OWNER_TID
    owner = struct.pack("ii", 0, threading.get_native_id())
    fcntl.fcntl(descriptor, set_owner, owner)
    fcntl.fcntl(descriptor, set_signal, signal.SIGHUP)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
