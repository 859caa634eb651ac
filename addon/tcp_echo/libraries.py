# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts back the state of Python's libraries, for scripts that share a process.

This is what `environment` need not put back for the add-on itself: loggers, random numbers, the
umask, what a script has set in a module of Python. A Blender that executes only one isolated run
has no use for it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # see `environment`
import contextlib
import copyreg
import ctypes
import importlib
import locale
import logging
import os
import re
import shutil
import socket
import sys
import threading
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable

# The modules whose names are put back. They are imported before the first script, because a module
# that only a script imports has no state that could be recorded.
_MODULES = (
    "asyncio",
    "asyncio.events",
    "bpy",
    "bpy.path",
    "bpy.utils",
    "copyreg",
    "io",
    "json",
    "locale",
    "logging",
    "math",
    "multiprocessing",
    "multiprocessing.context",
    "os",
    "os.path",
    "random",
    "re",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "traceback",
    "warnings",
)

# What modules that are not imported before have by themselves.
_DEFAULTS = (("urllib.request", "_opener", None),)

_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_NUMPY_PRINTS = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "legacy": False,
}

_missing = object()


class Libraries:
    """The state of Python's libraries as it was before the first script."""

    def __init__(self) -> None:
        modules = []
        for name in _MODULES:
            with contextlib.suppress(ImportError):  # a Python without SSL
                modules.append(importlib.import_module(name))
        self._modules = [(vars(module), dict(vars(module))) for module in modules]
        self._tables: list[tuple[dict[Any, Any], dict[Any, Any]]] = [
            (table, dict(table))
            for table in (logging._levelToName, logging._nameToLevel, copyreg.dispatch_table)
        ]
        manager = logging.root.manager
        self._disabled = manager.disable
        self._logger_class = manager.loggerClass
        self._loggers = {name: _logger_state(logger) for name, logger in _loggers()}
        self._start_method = _start_context()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._timeout = socket.getdefaulttimeout()
        self._mask = os.umask(0o077)
        os.umask(self._mask)
        self._signals = _signal.pthread_sigmask(_signal.SIG_BLOCK, ()) if _HAS_MASK else None
        self._limits: dict[int, tuple[int, int]] = {}
        self._share: tuple[int, Any] = 0, None
        self._zone = time.tzname
        self._stack_size = threading.stack_size()
        self._block = _variables()
        self._temp = bpy.app.tempdir
        self._named_temp_folder = _named_temp_folder()
        self._temp_files = set(_temp_files())

    def parts(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what can be put back, each part with its name."""
        return [
            ("the process", self._put_back_process),
            ("the modules of Python", self._put_back_modules),
            ("the loggers", self._put_back_loggers),
            ("the random numbers", _seed),
            ("NumPy", _put_back_numpy),
            ("the variables of C", self._put_back_variables),
            ("the temporary files", self._remove_temp_files),
        ]

    def _put_back_modules(self) -> None:
        for current, saved in self._modules:
            if not _equal(current, saved):
                _restore(current, saved)
        for table, saved in self._tables:
            if table != saved:
                table.clear()
                table.update(saved)
        for name, attribute, value in _DEFAULTS:
            module = sys.modules.get(name)
            if module is not None:
                setattr(module, attribute, value)
        context: Any = sys.modules.get("multiprocessing.context")
        if context is not None:
            context._default_context._actual_context = self._start_method
        # Warnings that are shown once are shown to each script once.
        forget = getattr(warnings, "_filters_mutated", None)
        if forget is not None:
            forget()

    def _put_back_loggers(self) -> None:
        manager = logging.root.manager
        changed = manager.disable != self._disabled
        manager.disable = self._disabled
        manager.loggerClass = self._logger_class
        for name, logger in _loggers():
            wanted = self._loggers.get(name)
            if wanted is None:
                # Of a library, or of the script; the library's own handler says nothing.
                silent = [h for h in logger.handlers if type(h) is logging.NullHandler]
                wanted = logging.NOTSET, True, False, silent, []
            if _logger_state(logger) != wanted:
                changed = True
                logger.level, logger.propagate, logger.disabled = wanted[:3]
                logger.handlers[:], logger.filters[:] = wanted[3:]
        if changed:
            manager._clear_cache()  # type: ignore[attr-defined]  # not public

    def _put_back_process(self) -> None:
        os.umask(self._mask)
        if self._signals is not None:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self._signals)
        if socket.getdefaulttimeout() != self._timeout:
            socket.setdefaulttimeout(self._timeout)
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        if threading.stack_size() != self._stack_size:
            threading.stack_size(self._stack_size)
        if time.tzname != self._zone and hasattr(time, "tzset"):
            time.tzset()
        tracing: Any = sys.modules.get("tracemalloc")
        if tracing is not None and tracing.is_tracing():
            tracing.stop()

    def note_limits(self) -> None:
        """Note what the system allows the process, right before a script.

        A run may have limits of its own, which the supervisor sets before it and takes off when it
        has ended.
        """
        self._limits, self._share = _limits(), _share()

    def put_back_limits(self) -> None:
        """Put back what `note_limits` has noted, right after a script.

        Raises OSError or ValueError when the system does not allow it.
        """
        if sys.platform == "win32":
            return
        if _limits() != self._limits:
            import resource

            for which, limit in self._limits.items():
                resource.setrlimit(which, limit)
        priority, cores = self._share
        if _share() != self._share:
            if cores is not None:
                set_cores: Any = vars(os)["sched_setaffinity"]  # only Linux has it
                set_cores(0, cores)
            os.setpriority(os.PRIO_PROCESS, 0, priority)

    def _put_back_variables(self) -> None:
        """Put back what `os.putenv` has set, of which `os.environ` knows nothing."""
        if sys.platform == "win32":
            return
        current = _variables()
        if current == self._block:
            return
        before = dict(entry.partition(b"=")[::2] for entry in self._block)
        now = dict(entry.partition(b"=")[::2] for entry in current)
        for name in now.keys() - before.keys():
            os.unsetenv(name)
        for name, value in before.items():
            if now.get(name) != value:
                os.putenv(name, value)

    def _remove_temp_files(self) -> None:
        """Empty Blender's own folder for temporary files, as the end of a Blender does."""
        now = bpy.app.tempdir
        if (
            not self._temp
            or _named_temp_folder() != self._named_temp_folder
            or not _OWN_TEMP_FOLDER.fullmatch(os.path.basename(os.path.normpath(now)))
        ):
            # A script has named another folder, or Blender could not make its own: it then uses the
            # folder for everybody's temporary files itself.
            return
        if now != self._temp:
            # Reading preferences has made Blender begin another folder of its own.
            self._temp, self._temp_files = now, set()
        for name in _temp_files():
            if name in self._temp_files:
                continue
            path = os.path.join(bpy.app.tempdir, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # it is open on Windows
                    os.remove(path)


# The name of the folder that Blender makes for its own temporary files.
_OWN_TEMP_FOLDER = re.compile(r"blender_[A-Za-z0-9]{6}")

_HAS_MASK = hasattr(_signal, "pthread_sigmask")


def _equal(current: dict[str, Any], saved: dict[str, Any]) -> bool:
    try:
        return bool(current == saved)
    except Exception:  # a value of the script that can't be compared
        return False


def _restore(current: dict[str, Any], saved: dict[str, Any]) -> None:
    for name in current.keys() - saved.keys():
        if not isinstance(current[name], types.ModuleType):  # a part of a package
            del current[name]
    for name, value in saved.items():
        if current.get(name, _missing) is not value:
            current[name] = value


def _loggers() -> list[tuple[str, logging.Logger]]:
    return [
        (name, logger)
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    ]


def _logger_state(logger: logging.Logger) -> tuple[Any, ...]:
    return (
        logger.level,
        logger.propagate,
        logger.disabled,
        list(logger.handlers),
        list(logger.filters),
    )


def _start_context() -> Any:
    """Return what `multiprocessing.set_start_method` sets."""
    context: Any = sys.modules.get("multiprocessing.context")
    return None if context is None else context._default_context._actual_context


def _seed() -> None:
    """Let random numbers differ from those of any script before."""
    generators: Any = sys.modules.get("random")
    if generators is not None:
        generators.seed()
    generators = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed()


def _put_back_numpy() -> None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "set_printoptions"):  # it could not be imported
        return
    if numpy.geterr() != _NUMPY_ERRORS:
        numpy.seterr(**_NUMPY_ERRORS)
    now = numpy.get_printoptions()
    if any(now.get(name) != value for name, value in _NUMPY_PRINTS.items()):
        numpy.set_printoptions(**_NUMPY_PRINTS)


def _variables() -> list[bytes]:
    """Return the environment variables as C has them, sorted."""
    if sys.platform == "win32":
        return []
    try:
        block = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    except ValueError:  # this C library does not export it
        return []
    found: list[bytes] = []
    while block and block[len(found)] is not None:
        found.append(block[len(found)])
    return sorted(found)


def _limits() -> dict[int, tuple[int, int]]:
    """Return the limits of the process."""
    if sys.platform == "win32":
        return {}
    import resource

    return {which: resource.getrlimit(which) for which in _LIMITS}


def _share() -> tuple[int, Any]:
    """Return the priority of the process and the cores that it may use."""
    if sys.platform == "win32":
        return 0, None
    affinity = getattr(os, "sched_getaffinity", None)
    return os.getpriority(os.PRIO_PROCESS, 0), affinity and affinity(0)


def _resources() -> tuple[int, ...]:
    if sys.platform == "win32":
        return ()
    import resource

    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return tuple({getattr(resource, name) for name in names})


_LIMITS = _resources()


def _named_temp_folder() -> str:
    """Return the folder in which the preferences have Blender make its own, or ""."""
    paths = getattr(bpy.context.preferences, "filepaths", None)
    return str(getattr(paths, "temporary_directory", ""))


def _temp_files() -> list[str]:
    try:
        return os.listdir(bpy.app.tempdir)
    except OSError:  # a script has removed it
        return []
