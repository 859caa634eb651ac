# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a script as the end of its process would, in a process that goes on.

When a cold Blender has executed a script, Python tells the exception, waits for the threads that
are no daemons, calls the functions that were registered with `atexit` (among them those of
`logging`, `weakref` and `multiprocessing`), and takes the modules apart. All of this is part of
what the script does, so it happens before the run is reported as finished.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import inspect
import os
import sys
import threading
import time
import traceback
import types
import weakref
from typing import TYPE_CHECKING, Any

from . import failure
from .interrupt import raise_in

if TYPE_CHECKING:
    from collections.abc import Callable

# How long to wait for a thread before it is asked again, in seconds: on Windows, nothing
# interrupts a thread that waits for another thread.
_JOIN_SECONDS = 0.1
# How long the daemon threads of a script may take to end, in seconds.
_THREAD_SECONDS = 0.05


def exit_code(exception: BaseException | None) -> int:
    """Return the code with which a Blender ends whose script ends with this exception."""
    if exception is None:
        return 0
    if not isinstance(exception, SystemExit):
        return 1
    code = exception.code
    if not isinstance(code, int):
        return 0 if code is None else 1
    if not -(1 << 63) <= code < 1 << 63:
        code = -1  # as C reads it
    return code & (0xFFFFFFFF if os.name == "nt" else 0xFF)


def tell(exception: BaseException | None, hook_before: object) -> bool:
    """Tell of the end of a script what its output has to show; returns whether that is all.

    The traceback goes to the client, who shows it. What `sys.exit` was given, and what the
    script's own `sys.excepthook` makes of an exception, is output.
    """
    if exception is None:
        return False
    if isinstance(exception, SystemExit):
        if exception.code is not None and not isinstance(exception.code, int):
            with contextlib.suppress(Exception):  # its __str__ may raise
                print(exception.code, file=sys.stderr)
        return True
    trace = failure.without_own_frames(exception.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback = type(exception), exception, trace
    hook = getattr(sys, "excepthook", None)
    if hook is hook_before or hook is None:
        return False
    try:
        hook(type(exception), exception, trace)
    except SystemExit:
        pass
    except Exception as error:
        with contextlib.suppress(Exception):
            print("Error in sys.excepthook:", file=sys.stderr)
            hook_trace = failure.without_own_frames(error.__traceback__)
            traceback.print_exception(type(error), error, hook_trace)
            print("\nOriginal exception was:", file=sys.stderr)
            traceback.print_exception(type(exception), exception, trace)
    return True


class Ending:
    """The threads and exit functions of one run; every method is for the main thread."""

    def __init__(self, stays: Callable[[str], bool]) -> None:
        # Whether the module of this name stays loaded when the script's modules are dropped.
        self._stays = stays
        self._threads: set[threading.Thread] = set()
        self._thread_exits: list[Any] = []
        # What Blender and its add-ons have registered: it is called when Blender ends. One of
        # these functions is Blender's own, and takes Blender down.
        self._own = [f for f in _exit_functions() if not _is_of_python(f)]
        self._called: list[Any] | None = None

    def begin(self) -> None:
        """Record what was there before the script."""
        self._threads = set(threading.enumerate())
        self._thread_exits = list(_thread_exits())

    # Like the script itself, these may be interrupted.

    def join_threads(self) -> None:
        """Wait for the threads of the script that are no daemons."""
        self._end_executors()
        while True:
            waiting = [t for t in self.new_threads() if not t.daemon]
            if not waiting:
                return
            for thread in waiting:
                while thread.is_alive():
                    thread.join(_JOIN_SECONDS)

    def call_exit_functions(self) -> None:
        """Call what was registered with `atexit`, last in first out."""
        self._called = _exit_functions()
        for function in self._own:
            atexit.unregister(function)
        atexit._run_exitfuncs()

    # These may not.

    def settle(self) -> None:
        """Make Python's libraries good for another script."""
        faulthandler.cancel_dump_traceback_later()
        for name, attribute in (
            ("concurrent.futures.thread", "_shutdown"),
            ("concurrent.futures.process", "_global_shutdown"),
            ("multiprocessing.util", "_exiting"),
        ):
            module = sys.modules.get(name)
            if module is not None:
                setattr(module, attribute, False)
        _thread_exits()[:] = [f for f in _thread_exits() if self._is_of_library(_registered(f))]
        called, self._called = self._called, None
        if called is None:
            return
        # `weakref` registers its function again with the next finalizer.
        weakref.finalize._shutdown = False  # type: ignore[attr-defined]  # not public
        weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
        again = [f for f in called if f not in self._own and self._is_of_library(f)]
        for function in (*again, *self._own):
            atexit.unregister(function)
        for function in (*self._own, *again):
            atexit.register(function)

    def new_threads(self) -> list[threading.Thread]:
        """Return the threads that the script has started and that have not ended."""
        return [t for t in threading.enumerate() if t not in self._threads]

    def end_daemons(self) -> None:
        """End the script's threads as soon as they execute Python again.

        Raises RuntimeError when a thread does not end within a moment.
        """
        threads = self.new_threads()
        for thread in threads:
            if thread.ident is not None:
                raise_in(thread.ident, SystemExit)
        until = time.monotonic() + _THREAD_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                raise RuntimeError(f"its thread {thread.name} goes on")

    def _end_executors(self) -> None:
        """Let the executors of `concurrent.futures` finish their work and end."""
        pools: Any = sys.modules.get("concurrent.futures.thread")
        for function in reversed(_thread_exits()):
            if pools is not None and _registered(function) is pools._python_exit:
                # Only the script's executors end.
                pools._shutdown = True
                new = self.new_threads()
                for thread, work in list(pools._threads_queues.items()):
                    if thread in new:
                        work.put(None)
                continue
            try:
                function()
            except Exception:
                traceback.print_exc()

    def _is_of_library(self, function: Any) -> bool:
        """Return whether a module that stays loaded has registered the function for itself.

        A script may register a function of a library as well, but mostly with arguments.
        """
        if function == weakref.finalize._exitfunc:  # type: ignore[attr-defined]  # not public
            return False
        owner = getattr(function, "__self__", None)
        bound = isinstance(owner, type)
        if owner is not None and not bound:
            return False
        plain = getattr(function, "__func__", function)
        if not isinstance(plain, types.FunctionType) or "<locals>" in plain.__qualname__:
            return False
        code = plain.__code__
        needed = code.co_argcount - len(plain.__defaults__ or ()) - bound
        if needed > 0 or code.co_flags & inspect.CO_VARARGS:
            return False
        return self._stays(plain.__module__)


def _exit_functions() -> list[Any]:
    """Return the functions that are registered with `atexit`, the first one first."""
    found: list[Any] = []

    class Probe:
        # To find what it is to unregister, `atexit` compares this object with each function.
        def __eq__(self, other: object) -> bool:
            found.append(other)
            return False

        __hash__ = None  # type: ignore[assignment]

    atexit.unregister(Probe())  # type: ignore[arg-type]
    return found


def _thread_exits() -> list[Any]:
    """Return the functions that `threading` calls before it waits for threads."""
    functions: list[Any] = getattr(threading, "_threading_atexits", [])
    return functions


def _registered(function: Any) -> Any:
    """Return the function that was registered with `threading`, which keeps it with arguments."""
    if isinstance(function, functools.partial) and not function.args and not function.keywords:
        return function.func
    if inspect.isfunction(function) and function.__qualname__.startswith("_register_atexit."):
        # Since 3.13 they are in a lambda.
        kept = inspect.getclosurevars(function).nonlocals
        if not kept.get("arg") and not kept.get("kwargs"):
            return kept.get("func", function)
    return function


def _is_of_python(function: Any) -> bool:
    """Return whether the standard library has registered the function."""
    return getattr(function, "__module__", None) in ("logging", "weakref", "multiprocessing.util")


def forget_exception() -> None:
    """Forget the exception that ended a script, with which its variables would live on."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
