# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a script's output to its client, where no supervisor reads the output of Blender.

Blender's terminal shows the output too. Only the output of Python is sent: what Blender prints
from C goes to its terminal alone.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runs import Run

# How much of an incomplete line is held back, in characters.
_HELD = 4096


class Tee(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr: passes text on to the stream below and to `send`."""

    def __init__(self, below: TextIO | None, send: Callable[[str], None]) -> None:
        self._below = below
        self._pass_on = send
        self._held: list[str] = []
        self._size = 0

    encoding = "utf-8"
    errors = "backslashreplace"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._below is not None:
            self._below.write(text)
        self._held.append(text)
        self._size += len(text)
        if "\n" in text or self._size > _HELD:
            self._send()
        return len(text)

    def flush(self) -> None:
        if self._below is not None:
            self._below.flush()
        self._send()

    def fileno(self) -> int:
        if self._below is None:
            raise io.UnsupportedOperation("fileno")
        return self._below.fileno()

    def isatty(self) -> bool:
        return False

    def _send(self) -> None:
        text = "".join(self._held)
        self._held.clear()
        self._size = 0
        if text:
            self._pass_on(text)


class Tees:
    """The tees of sys.stdout and sys.stderr, for a run whose listener wants its output."""

    def __init__(self) -> None:
        self._before: tuple[TextIO, TextIO] | None = None
        self._ours: tuple[Tee, Tee] | None = None

    def begin(self, run: Run) -> None:
        if not run.listener.wants_output:
            return
        self.put(lambda text: run.listener.output(run, text), None)

    def put(self, send: Callable[[str], None], send_errors: Callable[[str], None] | None) -> None:
        """Put tees in the place of the streams; errors go where the output goes, or elsewhere."""
        self._before = sys.stdout, sys.stderr
        self._ours = Tee(sys.stdout, send), Tee(sys.stderr, send_errors or send)
        sys.stdout, sys.stderr = self._ours

    def end(self) -> None:
        if self._ours is None or self._before is None:
            return
        for tee in self._ours:
            tee.flush()
        # A stream that the script has put in a tee's place stays there.
        for name, ours, before in zip(("stdout", "stderr"), self._ours, self._before):
            if getattr(sys, name) is ours:
                setattr(sys, name, before)
        self._ours = self._before = None
