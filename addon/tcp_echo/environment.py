# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script finds around it, and the putting back of what it changed in the process.

A script that `blender --python` starts may do to its process what it likes, since the
process ends with it. Here the next script comes after it.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
import types
import warnings

# Signals that scripts may reasonably handle.
_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGURG")
    if hasattr(signal, name)
)

# Attributes of sys that are simply set again, and of threading.
_SYS_NAMES = (
    "argv",
    "stdin",
    "stdout",
    "stderr",
    "__stdin__",
    "__stdout__",
    "__stderr__",
    "excepthook",
    "unraisablehook",
    "displayhook",
    "breakpointhook",
    "dont_write_bytecode",
    "ps1",
    "ps2",
)

# Lists that are put back in place, because others hold on to them.
_LISTS = (
    (sys, "path"),
    (sys, "meta_path"),
    (sys, "path_hooks"),
    (warnings, "filters"),
    (logging.root, "handlers"),
)

_missing = object()


class Environment:
    """The state of the process around one run. `enter`, then `leave`, on the main thread."""

    def __init__(self, event_loop, faults) -> None:
        self._event_loop = event_loop
        self._faults = faults
        # Taken once: what Blender and the launcher have set up.
        self._builtins = dict(vars(builtins))
        self._recursion_limit = sys.getrecursionlimit()
        self._switch_interval = sys.getswitchinterval()
        self._signals = SignalActions()

    def enter(self, run) -> types.ModuleType:
        """Set the process up for a run and return the module that it executes in."""
        self._saved = [getattr(sys, name, _missing) for name in _SYS_NAMES]
        self._lists = [
            (getattr(owner, name), list(getattr(owner, name))) for owner, name in _LISTS
        ]
        self._main = sys.modules.get("__main__")
        self._environ = os.environ.copy()
        self._directory = _current_directory()
        self._thread_hook = threading.excepthook
        self._log_level = logging.root.level

        sys.argv = [run.filename, *run.args]
        folder = os.path.dirname(run.file) if run.file else run.directory
        if folder:
            sys.path.insert(0, folder)
            try:
                os.chdir(folder)
            except OSError as error:
                # A script whose folder has gone since can still do most things.
                print(f"tcp_echo: stays in {self._directory}: {error}", file=sys.stderr)
        module = types.ModuleType("__main__")
        module.__file__ = run.filename
        module.__builtins__ = builtins
        sys.modules["__main__"] = module
        return module

    def leave(self) -> None:
        """Put everything back."""
        vars(builtins).update(self._builtins)
        if len(vars(builtins)) != len(self._builtins):
            for name in vars(builtins).keys() - self._builtins.keys():
                delattr(builtins, name)
        replaced = (sys.stdout, sys.stderr)
        for name, value in zip(_SYS_NAMES, self._saved):
            if value is not _missing:
                setattr(sys, name, value)
            elif hasattr(sys, name):
                delattr(sys, name)
        for stream in replaced:
            if stream is not sys.stdout and stream is not sys.stderr:
                _let_go(stream)
        for (owner, name), (kept, content) in zip(_LISTS, self._lists):
            if getattr(owner, name, None) is not kept:
                setattr(owner, name, kept)
            if kept != content:
                kept[:] = content
                if name == "filters":
                    warnings._filters_mutated()
        if self._main is None:
            sys.modules.pop("__main__", None)
        else:
            sys.modules["__main__"] = self._main
        if os.environ != self._environ:
            _restore_environ(self._environ)
        if _current_directory() != self._directory:
            _return_to(self._directory)
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        threading.setprofile(None)
        threading.excepthook = self._thread_hook
        logging.root.setLevel(self._log_level)
        sys.setrecursionlimit(self._recursion_limit)
        sys.setswitchinterval(self._switch_interval)
        gc.enable()
        self._signals.restore()
        if not faulthandler.is_enabled():
            self._faults()
        asyncio.set_event_loop(self._event_loop())


class SignalActions:
    """The signal handlers of the process, C's among them, and the alarm clock."""

    def __init__(self) -> None:
        self._handlers = [(number, signal.getsignal(number)) for number in _SIGNALS]
        self._actions = {
            number: _c_action(number) for number, handler in self._handlers if handler is None
        }
        self._reset: set[int] = set()

    def restore(self) -> None:
        for number, handler in self._handlers:
            current = signal.getsignal(number)
            if current is handler:
                continue
            if handler is not None:
                signal.signal(number, handler)
            elif number not in self._reset or current is not signal.SIG_DFL:
                # Blender's own handler, which Python can't set: through C.
                signal.signal(number, signal.SIG_DFL)
                _set_c_action(number, self._actions[number])
                self._reset.add(number)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _c_action(number: int):
    if os.name == "nt":
        return None
    import ctypes

    # Larger than struct sigaction is on any system.
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(number, None, action)
    return action


def _set_c_action(number: int, action) -> None:
    if action is not None:
        import ctypes

        ctypes.CDLL(None).sigaction(number, action, None)


def _current_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _return_to(directory: str) -> None:
    for candidate in (directory, tempfile.gettempdir(), os.path.abspath(os.sep)):
        if candidate:
            with contextlib.suppress(OSError):
                os.chdir(candidate)
                return


def _restore_environ(wanted: dict[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _let_go(stream) -> None:
    """Flush what a script put in the place of a standard stream.

    One that wraps our own buffer would close it when it is collected, some time later.
    """
    try:
        stream.flush()
        if stream.buffer in (sys.stdout.buffer, sys.stderr.buffer):
            stream.detach()
    except Exception:
        return  # it may be any object: the script's own, closed, or None
