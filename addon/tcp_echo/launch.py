# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves scripts from a background Blender until it is told to end. launcher.py calls `main`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import bpy

import tcp_echo

from . import async_loop, environment, lifeline, stdio

if TYPE_CHECKING:
    from types import FrameType

# Exit codes for the program that started Blender.
EXIT_PORT = 98
EXIT_USAGE = 2

# How long threads and exit handlers of scripts may delay the end of the process, in seconds.
_EXIT_GRACE = 2.0


def main(arguments: list[str]) -> None:
    """Serve scripts; returns when Blender is to end, and at once in a Blender with a window."""
    options: dict[str, Any] = {}
    descriptor = None
    if "--supervised" in arguments:
        descriptor = stdio.detach_standard_input()
        try:
            line = lifeline.read_first_line(descriptor)
            options = {
                "port": line["port"],
                "token": line["token"],
                "stream": stdio.MarkedStream(line["mark"], getattr(bpy.app, "tempdir", "")),
            }
            environment.restore_variables(line.get("environ", {}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _fail(EXIT_USAGE, f"the first line of standard input is not as expected: {error!r}")
    if bpy.app.background:
        # Set before the server reports that it is ready.
        signal.signal(signal.SIGTERM, _on_terminate)
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


def _on_terminate(_signal_number: int, _frame: FrameType | None) -> None:
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
