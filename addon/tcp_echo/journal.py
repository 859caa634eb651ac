# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run: a file in which Blender itself writes down what has become of the run.

The engine that asked for the run makes the file, with an empty line, before it sends the run, and
reads it when it can't know otherwise: when it was killed, or when it asks whether a script has
saved a script.
Each line is one `write` to the file. A line is there before what it tells of happens:

    begun                       the first line of the script is about to be executed
    wrote FILE NANOSECONDS PATH    a file below a watched folder is about to be written. FILE is
                                the inode of the file that will be there, 0 for a new file; where
                                that file is written in place INODE:SIZE:MODIFIED, as it is now
    child                       another process is about to be started, which may write too
    more                        there is more of this, which is not written down
    rendering FRAME             the picture of a frame is about to be rendered and written
    rendered FRAME              it is written
    ended JSON                  the run has ended: what `finished` says, without a long result
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from . import texts

if TYPE_CHECKING:
    from .runs import Outcome, Run

# How many files one journal names, and how long a result it keeps, in characters.
_MOST_FILES = 10_000
_LONGEST_RESULT = 64 * 1024

# How the journal is opened. A child process does not inherit it.
_OPENED = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND

_STARTS_PROCESS = frozenset(
    (
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    )
)

_TOLD = _STARTS_PROCESS | {"open", "os.rename", "os.link", "os.symlink", "os.truncate"}


class Journal:
    """Keeps the journal of the run that is executed."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._files = 0
        self._child = False
        self._hooked = False
        # Whether this thread writes the journal just now, which is no writing of the script.
        self._own = threading.local()

    def begin(self, run: Run) -> None:
        """Write down that the first line of the run is about to be executed."""
        self._files, self._child = 0, False
        if not run.journal:
            return
        if not self._hooked and run.watched:
            self._hooked = True
            # Such a function stays for the life of the process, and costs some 0.1 µs where Python
            # asks for it. The script can't see it.
            sys.addaudithook(self._heard)
            texts.listen(self._heard_text)
        if not self._write(run.journal, "begun"):
            with contextlib.suppress(OSError):
                os.unlink(run.journal)  # without a journal the engine knows that it knows nothing
        self._run = run

    def frame(self, run: Run, word: str, frame: int) -> None:
        """Write down that a frame is about to be "rendering", or is "rendered"."""
        if run.journal:
            self._write(run.journal, f"{word} {frame}")

    def end(self, run: Run, outcome: Outcome) -> None:
        """Write down how the run has ended."""
        self._run = None
        if not run.journal:
            return
        # Mostly there is little to tell, and `json.dumps` would take longer than the script.
        error = "null" if outcome.error is None else json.dumps(outcome.error)
        outputs = json.dumps(outcome.outputs) if outcome.outputs else "[]"
        imports = json.dumps(outcome.imports) if outcome.imports else "[]"
        result = outcome.result if len(outcome.result) <= _LONGEST_RESULT else "null"
        self._write(
            run.journal,
            f'ended {{"state": "{outcome.state}", "exit_code": {outcome.exit_code},'
            f' "seconds": {outcome.seconds!r}, "error": {error},'
            f' "outputs": {outputs}, "imports": {imports}, "result": {result}}}',
        )

    def _write(self, path: str, line: str) -> bool:
        self._own.writes = True
        try:
            descriptor = os.open(path, _OPENED)
            try:
                os.write(descriptor, line.encode("utf-8", "backslashreplace") + b"\n")
            finally:
                os.close(descriptor)
        except OSError:
            return False
        finally:
            self._own.writes = False
        return True

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Take what Python tells before it does it; called on every thread."""
        run = self._run
        # Python tells of much more than this, and calls this function each time.
        if run is None or event not in _TOLD or getattr(self._own, "writes", False):
            return
        if event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & _WRITING
            if writes or (isinstance(mode, str) and any(c in mode for c in "wxa+")):
                self._note(run, path, path)
        elif event in ("os.rename", "os.link", "os.symlink"):
            self._note(run, args[1], args[0])
        elif event == "os.truncate":
            self._note(run, args[0], args[0])
        elif event in _STARTS_PROCESS and not self._child:
            self._child = True
            self._write(run.journal, "child")

    def _heard_text(self, path: str) -> None:
        """Take the path of a file into which Blender is about to save a text block."""
        run = self._run
        if run is not None:
            self._note(run, path, path)

    def _note(self, run: Run, path: object, source: object) -> None:
        """Write down that a path is about to get the bytes of the file `source`."""
        try:
            full = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]
            if not _below(full, run.watched):
                folder, name = os.path.split(full)
                full = os.path.join(os.path.realpath(folder), name)
                if not _below(full, run.watched):
                    return
            file = _file(os.fsdecode(source), in_place=path is source)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return  # a descriptor, or no path at all: Python complains about it
        except OSError:
            return  # a device, or a working directory without a path: the script goes on
        self._files += 1
        if self._files > _MOST_FILES:
            if self._files == _MOST_FILES + 1:
                self._write(run.journal, "more")
            return
        name = json.dumps(full)
        self._write(run.journal, f"wrote {file} {time.time_ns()} {name}")


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path.startswith(folder) for folder in folders)


def _file(path: str, *, in_place: bool) -> str:
    """Return FILE of a line "wrote": the size in bytes, the time in ns since 1970."""
    try:
        found = os.lstat(path)
    except OSError:
        return "0"
    if not in_place:
        return str(found.st_ino)
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


journal = Journal()
