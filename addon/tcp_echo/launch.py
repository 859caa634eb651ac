# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves scripts from a background Blender until it is told to end. launcher.py calls `main`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import sys
import threading
import time
from typing import Any, NoReturn

import bpy

import tcp_echo

from . import async_loop, environment, lifeline, stdio, termination

# Exit codes for the program that started Blender.
EXIT_PORT = 98
EXIT_USAGE = 2

# How long threads and exit handlers of scripts may delay the end of the process, in seconds.
_EXIT_GRACE = 2.0

# How many descriptors a script may have open, where the system allows as many. Services often have
# no more than 1,024, which is too few beside the connections of strangers.
_DESCRIPTORS = 8192


def main(arguments: list[str]) -> None:
    """Serve scripts; returns when Blender is to end, and at once in a Blender with a window."""
    options: dict[str, Any] = {}
    descriptor = None
    if "--supervised" in arguments:
        descriptor = stdio.detach_standard_input()
        try:
            line = lifeline.read_first_line(descriptor)
            parent = _parent_socket(line.get("socket"), line.get("inode"))
            options = {
                "port": line["port"] or 0,
                "token": line["token"],
                "parent": parent,
                # A wrapper around Blender may have closed the socket.
                "listens": line["port"] is not None or parent is None,
                "stream": stdio.MarkedStream(
                    line["mark"], getattr(bpy.app, "tempdir", ""), line.get("faults", "")
                ),
            }
            _end_at_a_crash()
            environment.restore_variables(line.get("environ", {}))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            _fail(EXIT_USAGE, f"the first line of standard input is not as expected: {error!r}")
    if bpy.app.background:
        _raise_descriptor_limit()
        # Set before the server reports that it is ready.
        termination.install(_terminate)
    try:
        tcp_echo.start_server_from_script(**options)
    except ValueError as error:
        _fail(EXIT_USAGE, str(error))
    except OSError as error:
        _fail(EXIT_PORT, error.strerror or str(error))
    if descriptor is not None:
        lifeline.watch(descriptor, tcp_echo.request_quit)
    if not bpy.app.background:
        return
    try:
        async_loop.run_until_shutdown()
    finally:
        tcp_echo.cleanup_server()
        _end_soon()


def _parent_socket(descriptor: object, inode: object) -> socket.socket | None:
    """Return the socket that the supervisor has handed over, or None."""
    if not isinstance(descriptor, int):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISSOCK(status.st_mode) or (inode and status.st_ino != inode):
            return None
        handed = socket.socket(fileno=descriptor)
        handed.set_inheritable(False)
        handed.setblocking(False)
    except OSError:
        return None
    return handed


def _end_at_a_crash() -> None:
    """Have Windows end a process that crashes at once, without a debugger and without a message."""
    if sys.platform == "win32":
        critical_errors, crashes, files = 0x1, 0x2, 0x8000  # SEM_…
        ctypes.windll.kernel32.SetErrorMode(critical_errors | crashes | files)


def _raise_descriptor_limit() -> None:
    """Give scripts the descriptors that the system would allow, up to a bound."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # the limit stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _terminate() -> None:
    if not tcp_echo.terminate():
        os._exit(0)  # the server has not started yet, or has stopped already


def _end_soon() -> None:
    """End the process even if a thread or an exit handler of a script does not end."""

    def end() -> None:
        time.sleep(_EXIT_GRACE)
        os._exit(0)

    threading.Thread(target=end, name="tcp_echo exit", daemon=True).start()


def _fail(code: int, text: str) -> NoReturn:
    print(f"tcp_echo: {text}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(code)
