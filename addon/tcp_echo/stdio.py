# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard input, output and error of a supervised Blender, and the marks in its output.

The supervisor reads one pipe, in which Python's output, the output of Blender's C code and the
marks around a run's output must come in order. So Python and C write out each line at once, and
everything that they hold back is written out before a mark.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import sys
from typing import Any, TextIO, cast

import bpy

_LINE_BUFFERED = 1  # _IOLBF of glibc, musl and macOS
# How long what is said with a mark may be: the supervisor takes longer lines for text.
_LONGEST = 400
_UNBUFFERED = 2 if sys.platform.startswith("linux") else 4 if os.name == "nt" else 2


# Kept here because a script may put something else in its place.
_app = bpy.app

# What the supervisor reads: text that is written out after each line.
_OUTPUT: Any = {
    "encoding": "utf-8",
    "errors": "backslashreplace",
    "newline": "\n",
    "line_buffering": True,
}
_OUTPUT_STATE = (_OUTPUT["encoding"], _OUTPUT["errors"], _OUTPUT["line_buffering"])


class Stream:
    """The output of a Blender that was started by hand, which has no marks."""

    # Whether somebody replaces this Blender when it is of no use any more.
    is_supervised = False

    def prepare(self) -> None:
        """Set up the process, once."""

    def ready(self, port: int, has_parent: bool) -> None:
        """Report that the server is ready, and how the parent reaches it."""
        print(f"tcp_echo: serving on 127.0.0.1:{port}", flush=True)

    def preparing(self, key: str) -> None:
        """Mark that the scene of a run is made ready."""

    def begin(self, key: str) -> None:
        """Mark the beginning of a run's output."""

    def end(self, key: str) -> None:
        """Mark the end of a run's output."""

    def repair_descriptors(self) -> None:
        """Repair what a script did to descriptors 0 to 2, before any file is opened."""

    def repair(self) -> None:
        """Repair what a script did to sys.stdin, sys.stdout and sys.stderr."""
        for name in ("stdout", "stderr"):
            if not _is_open(getattr(sys, name, None)):
                setattr(sys, name, getattr(sys, f"__{name}__"))

    @property
    def fault_file(self) -> TextIO | int:
        """The file or descriptor that faulthandler writes to."""
        return sys.__stderr__ if sys.__stderr__ is not None else 2


class MarkedStream(Stream):
    """The output that a supervisor reads, with marks that only the supervisor knows."""

    is_supervised = True

    def __init__(self, secret: str, temp: str, faults: str = "") -> None:
        """`temp` is this Blender's own folder for temporary files.

        `faults` is the path of the file for what Python says of a fault of the processor, or "":
        then that is output. Windows tells Python of faults that a program handles and lives
        through, too. Raises OSError when the file can't be made.
        """
        self._temp = temp
        self._prefix = f"\x1eblendtray {secret} ".encode()
        self._libc = _c_library()
        self._flush_c = self._libc.fflush
        # Copies of the descriptors 1 and 2, which a script may close. No child process inherits
        # the copies.
        self._output = os.dup(1)
        self._error = os.dup(2)
        self._identity = _identity(self._output), _identity(self._error)
        self._faults_path = faults
        self._faults = self._error
        if faults:
            self._open_faults()

    def prepare(self) -> None:
        if sys.platform == "win32":
            import msvcrt

            for descriptor in (1, 2, self._output, self._error):
                msvcrt.setmode(descriptor, os.O_BINARY)
        for stream in (sys.stdout, sys.stderr):
            cast("io.TextIOWrapper", stream).reconfigure(**_OUTPUT)
        _flush_c_by_line(self._libc)

    def ready(self, port: int, has_parent: bool) -> None:
        says = {"port": port, "pid": os.getpid(), "socket": has_parent}
        text = json.dumps({**says, "temp": self._temp})
        self._mark(b"ready " + (text if len(text) <= _LONGEST else json.dumps(says)).encode())

    def preparing(self, key: str) -> None:
        self._mark(b"preparing " + key.encode())

    def begin(self, key: str) -> None:
        if self._faults_path:
            self._clear_faults()
        self._mark(b"begin " + key.encode())

    def end(self, key: str) -> None:
        temp = getattr(_app, "tempdir", "")
        if temp != self._temp:  # reading preferences makes Blender begin another folder
            self._temp = temp
            text = json.dumps(temp)
            if len(text) <= _LONGEST:
                self._mark(b"temp " + text.encode())
        self._mark(b"end " + key.encode())

    def repair_descriptors(self) -> None:
        self._flush_c(None)
        for descriptor, kept, identity in zip((1, 2), (self._output, self._error), self._identity):
            if _identity(descriptor) != identity:
                os.dup2(kept, descriptor)
        if _identity(0) is None:
            _open_null_input()

    def repair(self) -> None:
        if not _is_open(getattr(sys, "stdin", None)):
            _set_stream("stdin", _null_input_stream())
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            stream: Any = getattr(sys, name, None)
            if not _is_open(stream):
                _set_stream(name, _text_stream(descriptor))
            elif (stream.encoding, stream.errors, stream.line_buffering) != _OUTPUT_STATE:
                stream.reconfigure(**_OUTPUT)

    @property
    def fault_file(self) -> TextIO | int:
        return self._faults

    def _open_faults(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._faults = os.open(self._faults_path, flags, 0o600)
        self._faults_identity = _identity(self._faults)

    def _clear_faults(self) -> None:
        """Empty the file of faults: those of the runs before say nothing about this run."""
        try:
            status = os.fstat(self._faults)
        except OSError:
            status = None
        if status is not None and (status.st_dev, status.st_ino) == self._faults_identity:
            if status.st_size == 0:
                return  # as nearly always: emptying it would be a write to the disk
            with contextlib.suppress(OSError):
                os.ftruncate(self._faults, 0)
            return
        with contextlib.suppress(OSError):  # the crash of a run that has such a disk names no line
            self._open_faults()  # a script has closed it
            faulthandler.enable(self._faults, all_threads=True)

    def _mark(self, what: bytes) -> None:
        flush()
        self._flush_c(None)
        if _identity(self._output) != self._identity[0] == _identity(1):
            self._output = os.dup(1)  # a script has closed the copy
        try:
            os.write(self._output, self._prefix + what + b"\n")
        except BrokenPipeError:
            return  # without a reader there is no supervisor, and the lifeline ends this process


def flush() -> None:
    """Write out what sys.stdout and sys.stderr hold back."""
    for name in ("stdout", "stderr"):
        # A script may have closed the stream, or put any object in its place.
        try:
            getattr(sys, name).flush()
        except Exception:
            continue


def _is_open(stream: Any) -> bool:
    try:
        return not stream.closed
    except (AttributeError, ValueError):  # there is no stream, or it was detached
        return False


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _set_stream(name: str, stream: io.TextIOWrapper) -> None:
    """Make a stream both sys.NAME and sys.__NAME__."""
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _text_stream(descriptor: int) -> io.TextIOWrapper:
    file = io.FileIO(descriptor, "wb", closefd=False)
    file.name = "<stdout>" if descriptor == 1 else "<stderr>"
    raw = io.BufferedWriter(file)
    stream = io.TextIOWrapper(raw, **_OUTPUT)
    vars(stream)["mode"] = "w"  # as Python does it
    return stream


def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL("ucrtbase" if os.name == "nt" else None)


def _flush_c_by_line(libc: ctypes.CDLL) -> None:
    """Make C write to a pipe after each line, as to a terminal; by default it holds 4 KiB back."""
    libc.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    if os.name == "nt":
        # Windows has no line buffering, so there is no buffering at all.
        libc.__acrt_iob_func.restype = ctypes.c_void_p
        libc.setvbuf(libc.__acrt_iob_func(1), None, _UNBUFFERED, 0)
        return
    name = "__stdoutp" if sys.platform == "darwin" else "stdout"
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, name), None, _LINE_BUFFERED, 0)


def say(text: str) -> None:
    """Print a line of the add-on into a run's output."""
    with contextlib.suppress(ValueError, AttributeError, OSError):  # the script has closed it
        print(f"tcp_echo: {text}", file=sys.stderr)


def detach_standard_input() -> int:
    """Move standard input to another descriptor and return that descriptor.

    The null device becomes the standard input of scripts and of the processes that they start.
    """
    moved = os.dup(0)
    _open_null_input()
    if sys.platform == "win32":
        import msvcrt

        # Child processes inherit the system's handle, not the C library's descriptor.
        ctypes.windll.kernel32.SetStdHandle(-10, msvcrt.get_osfhandle(0))
    _set_stream("stdin", _null_input_stream())
    return moved


def _open_null_input() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    if null == 0:  # 0 was closed
        os.set_inheritable(null, True)
        return
    os.dup2(null, 0, inheritable=True)
    os.close(null)


def _null_input_stream() -> io.TextIOWrapper:
    """Return a stream of descriptor 0 that looks like the one that Python makes."""
    raw = io.FileIO(0, closefd=False)
    raw.name = "<stdin>"
    stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape")
    vars(stream)["mode"] = "r"  # as Python does it
    return stream
