# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the process up for a script, and afterwards restores what the script has changed.

A script that `blender --python` starts may change its process as it likes, because the
process ends with the script. Here the next script runs in the same process.
"""

from __future__ import annotations

# The module that `signal` wraps; it returns numbers where `signal` makes an enumeration of
# each. The type checker knows only `signal`.
import _signal  # type: ignore[import-not-found]
import asyncio
import builtins
import contextlib
import faulthandler
import gc
import io
import logging
import os
import signal
import sys
import sysconfig
import tempfile
import threading
import types
import warnings
from typing import TYPE_CHECKING, Any

import bpy

from . import command_line

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    from .runs import Run

# Signals that scripts may reasonably handle.
_SIGNALS = tuple(
    int(getattr(signal, name))
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGALRM",
        "SIGUSR1",
        "SIGUSR2",
        "SIGCHLD",
        "SIGURG",
        "SIGBREAK",
        "SIGQUIT",
        "SIGPIPE",
        "SIGTSTP",
        "SIGCONT",
        "SIGWINCH",
        "SIGVTALRM",
        "SIGPROF",
    )
    if hasattr(signal, name)
)

# Attributes of sys that are restored by setting them.
_SYS_NAMES = (
    "argv",
    "stdin",
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

# Lists whose contents are restored in place, because other code refers to the lists.
_LISTS: tuple[tuple[object, str], ...] = (
    (sys, "path"),
    (sys, "meta_path"),
    (sys, "path_hooks"),
    (warnings, "filters"),
    (logging.root, "handlers"),
)

_missing = object()

# Where Python's own modules lie.
_STANDARD_FOLDERS = frozenset(
    folder
    for library in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    for folder in (
        library,
        os.path.join(library, "lib-dynload"),
        os.path.join(os.path.dirname(library), "DLLs"),
    )
)


class Environment:
    """The state of the process around one run; every method is for the main thread.

    Call `enter`, then `end_script` when the script has ended, then `leave`, then what
    `parts_to_put_back` returns. The client has its answer before these are called, so everything
    that takes time is done there.
    """

    def __init__(
        self,
        event_loop: Callable[[], asyncio.AbstractEventLoop],
        faults: Callable[[], None],
    ) -> None:
        self._event_loop = event_loop
        self._faults = faults
        # Read once: Blender and the launcher have set these up.
        self._builtins = dict(vars(builtins))
        self._recursion_limit = sys.getrecursionlimit()
        self._switch_interval = sys.getswitchinterval()
        self._threshold = gc.get_threshold()
        self._digits = getattr(sys, "get_int_max_str_digits", int)()
        self._signals: SignalActions | None = None
        self._snapshot: _Snapshot | None = None
        # What the output of the run has to say first.
        self.complaint = ""
        # What the code that keeps its state has defined so far.
        self._session: types.ModuleType | None = None

    def record(self) -> None:
        """Record the state that is put back after a run, ahead of the next run."""
        self._snapshot = _Snapshot()
        if self._signals is None:
            self._signals = SignalActions()

    def enter(self, run: Run) -> types.ModuleType:
        """Set the process up for a run and return the module that it executes in."""
        if self._snapshot is None:
            self.record()
        self.complaint = ""
        sys.argv = command_line.for_script(run.filename, run.args)
        if run.folder:
            sys.path.insert(_behind_standard_library(sys.path), run.folder)
            try:
                os.chdir(run.folder)
            except OSError as error:
                # A script whose folder was removed can still do most things.
                self.complaint = f"stays in {_current_directory()}: {error}"
        module = self._module_of(run)
        module.__file__ = run.filename
        vars(module)["__builtins__"] = vars(builtins)
        if not run.file:
            # Clients of the pattern and people at a prompt use it without an import.
            vars(module)["bpy"] = bpy
        sys.modules["__main__"] = module
        if "multiprocessing" in sys.modules:
            sys.modules["__mp_main__"] = module  # as at the first import of multiprocessing
        if run.isolation != "keep" and _signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
            # The script ends with the process, as a cold Blender does.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
        return module

    def _module_of(self, run: Run) -> types.ModuleType:
        if run.isolation != "keep":
            self._session = None
        elif self._session is not None and not run.file:
            vars(self._session).pop("result", None)
            return self._session
        return types.ModuleType("__main__")

    @property
    def session_names(self) -> dict[str, Any] | None:
        """The names that code without a file finds, or None where no such code has run."""
        return None if self._session is None else vars(self._session)

    @property
    def exception_hook(self) -> object:
        """The `sys.excepthook` that was there before the script."""
        assert self._snapshot is not None
        return self._snapshot.sys["excepthook"]

    def note_streams(self) -> None:
        """Record the standard streams again, which a client may listen to from now on."""
        assert self._snapshot is not None
        for name in ("stdout", "stderr"):
            self._snapshot.sys[name] = getattr(sys, name)

    def mend(self) -> None:
        """Restore what no Python code can do without."""
        if vars(builtins) != self._builtins:
            _restore_dict(vars(builtins), self._builtins)
        assert self._snapshot is not None  # `enter` has recorded it
        self._snapshot.restore_modules()

    def end_script(self) -> None:
        """Restore what the report of the run's end needs, and flush the script's output."""
        assert self._signals is not None
        self._signals.restore()  # first: a handler of the script may raise anything, anywhere
        self.mend()
        assert self._snapshot is not None
        current, saved = vars(sys), self._snapshot.sys
        for name in ("stdout", "stderr"):
            stream = current.get(name)
            if stream is not saved[name]:
                current[name] = saved[name]
                _let_go(stream, saved[name])

    def leave(self, run: Run, module: types.ModuleType) -> None:
        """Let the script's module go; with "keep", its names are there for the next code."""
        assert self._snapshot is not None
        self._snapshot.restore_main()
        if sys.modules.get("__mp_main__") is module:
            del sys.modules["__mp_main__"]
        if run.isolation == "keep":
            if self._session is not None:
                for name, value in vars(self._session).items():
                    vars(module).setdefault(name, value)
            self._session = module
            return
        # When the garbage collector finds a file together with its buffer, it may close the buffer
        # first. What was not written by then is lost.
        for value in list(vars(module).values()):
            if issubclass(type(value), io.IOBase):  # asking a removed object of Blender fails
                with contextlib.suppress(Exception):  # mostly the file is closed, or only read
                    value.flush()

    def parts_to_put_back(self, run: Run) -> list[tuple[str, Callable[[], None]]]:
        """Return what is to be put back, each part with its name."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None:
            return []
        return [
            *snapshot.parts(),
            ("tracing", _stop_tracing),
            ("limits", self._put_back_limits),
            ("faulthandler", self._put_back_faults),
            ("the event loop", self._put_back_loop),
        ]

    def _put_back_limits(self) -> None:
        sys.setrecursionlimit(self._recursion_limit)
        sys.setswitchinterval(self._switch_interval)
        gc.enable()
        gc.set_threshold(*self._threshold)
        gc.set_debug(0)
        if hasattr(sys, "set_int_max_str_digits"):
            sys.set_int_max_str_digits(self._digits)

    def _put_back_faults(self) -> None:
        if not faulthandler.is_enabled():
            self._faults()

    def _put_back_loop(self) -> None:
        asyncio.set_event_loop(self._event_loop())


def restore_variables(variables: dict[str, str | None]) -> None:
    """Set back the variables that the supervisor has set for the start of Blender alone.

    Blender has read them: its own temporary files and crash reports stay where they are.
    """
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None  # an add-on may have asked for it
    sys.pycache_prefix = variables.get("PYTHONPYCACHEPREFIX", sys.pycache_prefix)


def _forget_told_warnings() -> None:
    """Have the registries of modules that say which warnings were told made anew.

    They hold until the filters change, and both ends of `catch_warnings` count as a change.
    """
    with warnings.catch_warnings():
        pass


class _Snapshot:
    """The state that is recorded before each run, because not only scripts change it."""

    def __init__(self) -> None:
        self.sys = vars(sys).copy()
        self._lists = [(owner, name, kept := vars(owner)[name], kept[:]) for owner, name in _LISTS]
        self._modules = sys.modules
        # `copy` copies a dict that has gaps as it lies there; `dict()` would insert each item anew.
        self._loaded = sys.modules.copy()
        self._names = list(self._loaded)
        self._main = sys.modules.get("__main__")
        self._os_environ = os.environ
        self._environ = _environment_block().copy()
        self._directory = _current_directory()
        self._thread_hook = threading.excepthook
        self._log_level = logging.root.level

    def restore_modules(self) -> None:
        """Put back the modules that are missing."""
        if vars(sys).get("modules") is not self._modules:
            sys.modules = self._modules
        # A dict keeps its order, and new modules stand behind. To compare two lists takes a third
        # of the time of looking each name up.
        names = list(self._modules)
        if names != self._names and names[: len(self._names)] != self._names:
            for name, module in self._loaded.items():
                self._modules.setdefault(name, module)

    def restore_main(self) -> None:
        if self._main is None:
            sys.modules.pop("__main__", None)
        else:
            sys.modules["__main__"] = self._main

    def parts(self) -> list[tuple[str, Callable[[], None]]]:
        """Return the parts that can be put back, each with its name."""
        return [
            ("sys", self._put_back_sys),
            ("the lists of modules", self._put_back_lists),
            ("the main module", self.restore_main),
            ("the environment", self._put_back_environ),
            ("the working directory", self._put_back_directory),
            ("logging", self._put_back_logging),
        ]

    def _put_back_sys(self) -> None:
        current = vars(sys)
        for name in _SYS_NAMES:
            value = self.sys.get(name, _missing)
            if current.get(name, _missing) is not value:
                if value is _missing:
                    del current[name]
                else:
                    current[name] = value
        threading.excepthook = self._thread_hook

    def _put_back_lists(self) -> None:
        for owner, name, kept, content in self._lists:
            if vars(owner).get(name) is not kept:
                setattr(owner, name, kept)
            if kept != content:
                kept[:] = content
                if name == "filters":
                    _forget_told_warnings()

    def _put_back_environ(self) -> None:
        vars(os)["environ"] = self._os_environ
        if _environment_block() != self._environ:
            _restore_environ(self._environ)

    def _put_back_directory(self) -> None:
        if _current_directory() != self._directory:
            _return_to(self._directory)

    def _put_back_logging(self) -> None:
        if logging.root.level != self._log_level:
            logging.root.setLevel(self._log_level)


class SignalActions:
    """The signal handlers of the process, also those written in C, and the alarm timer."""

    def __init__(self) -> None:
        self._handlers = [(number, _signal.getsignal(number)) for number in _SIGNALS]
        self._actions = {
            number: _c_action(number) for number, handler in self._handlers if handler is None
        }
        self._reset: set[int] = set()
        self._wakeup = signal.set_wakeup_fd(-1)
        self._restore_wakeup()

    def _restore_wakeup(self) -> None:
        try:
            signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        except (OSError, ValueError):  # a script has closed the descriptor
            signal.set_wakeup_fd(-1)

    def restore(self) -> None:
        # The timers are stopped first: without a handler, their signals kill the process.
        if sys.platform != "win32":
            for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
        for number, handler in self._handlers:
            current = _signal.getsignal(number)
            if current is handler:
                continue
            if handler is not None:
                signal.signal(number, handler)
            elif number not in self._reset or current != signal.SIG_DFL:
                # Blender's own handler is a C function, which Python's signal() can't set.
                signal.signal(number, signal.SIG_DFL)
                _set_c_action(number, self._actions[number])
                self._reset.add(number)
        self._restore_wakeup()


def _c_action(number: int) -> ctypes.Array[ctypes.c_char] | None:
    if sys.platform == "win32":
        return None
    import ctypes

    # 512 bytes are more than struct sigaction has on any system.
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(number, None, action)
    return action


def _set_c_action(number: int, action: ctypes.Array[ctypes.c_char] | None) -> None:
    if action is not None:
        import ctypes

        ctypes.CDLL(None).sigaction(number, action, None)


def _stop_tracing() -> None:
    for module in (sys, threading):
        module.settrace(None)
        module.setprofile(None)


def _restore_dict(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in current.keys() - wanted.keys():
        del current[name]
    current.update(wanted)


def _behind_standard_library(path: list[str]) -> int:
    """Return the index behind Python's own modules, and before what is installed besides.

    A script named calendar.py must not stand in for Python's calendar.
    """
    for at in range(len(path) - 1, -1, -1):
        if path[at] in _STANDARD_FOLDERS:
            return at + 1
    return 0


def _current_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _return_to(directory: str) -> None:
    # Python tries out the temporary folder with a file, so it is asked for when it is needed.
    if directory:
        with contextlib.suppress(OSError):
            os.chdir(directory)
            return
    for otherwise in (tempfile.gettempdir, lambda: os.path.abspath(os.sep)):
        with contextlib.suppress(OSError):
            os.chdir(otherwise())
            return


def _environment_block() -> dict[Any, Any]:
    """Return the dict inside os.environ, whose keys and values are encoded.

    Decoding and comparing them all takes longer than a short script.
    """
    block: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]  # not public
    return block


def _restore_environ(wanted: dict[Any, Any]) -> None:
    environ = os.environ
    current = _environment_block()
    for name in current.keys() - wanted.keys():
        del environ[environ.decodekey(name)]
    for name, value in wanted.items():
        if current.get(name) != value:
            environ[environ.decodekey(name)] = environ.decodevalue(value)


def _let_go(stream: Any, own: Any) -> None:
    """Flush a stream that a script put in the place of the standard stream `own`.

    A stream that wraps the buffer of `own` is detached from it: the garbage collector would
    close the buffer with the stream.
    """
    try:
        stream.flush()
        if stream.buffer is own.buffer:
            stream.detach()
    except Exception:
        return  # the stream may be any object: the script's own, closed, or None
