# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script prints in a Blender that nobody reads from: shown there, and sent as well.

Only what Python prints; what Blender prints from C goes to its terminal alone.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .runs import Run

# How much is held back until a line is whole, in characters.
_HELD = 4096


class Tee(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr while a run is on."""

    def __init__(self, below: TextIO | None, run: Run) -> None:
        self._below = below
        self._run = run
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
            self._run.listener.output(self._run, text)


class Tees:
    """The two of a run whose listener wants to have its output."""

    def __init__(self) -> None:
        self._before: tuple[TextIO, TextIO] | None = None
        self._ours: tuple[Tee, Tee] | None = None

    def begin(self, run: Run) -> None:
        if not run.listener.wants_output:
            return
        self._before = sys.stdout, sys.stderr
        self._ours = Tee(sys.stdout, run), Tee(sys.stderr, run)
        sys.stdout, sys.stderr = self._ours

    def end(self) -> None:
        if self._ours is None or self._before is None:
            return
        for tee in self._ours:
            tee.flush()
        # What the script has put in their place is its own to take away.
        for name, ours, before in zip(("stdout", "stderr"), self._ours, self._before):
            if getattr(sys, name) is ours:
                setattr(sys, name, before)
        self._ours = self._before = None
