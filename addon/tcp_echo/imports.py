# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of scripts: read afresh when they changed, and forgotten for a fresh scene.

Python keeps a module for the life of the process, and beside it byte-code that counts as
current when the second and the size agree: neither is right where scripts are saved and run
again at once. So modules that are not Blender's, Python's or an add-on's are always compiled
from their source, and dropped before the next run once one of them changed.
"""

from __future__ import annotations

import importlib.machinery
import os
import site
import sys
import sysconfig
import time
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

# The coarsest step of a file system's clock: FAT counts in steps of two seconds. In ns.
_CLOCK_STEP = 2_000_000_000


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time, and leaves no __pycache__ in the user's folders."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        stamp = _stamp(path)  # before it is read: what is saved after that is another one
        data = self.get_data(path)
        _loaded[os.path.abspath(path)] = _Loaded(stamp, data)
        return self.source_to_code(data, path)


class _Loaded:
    """What a module was read from."""

    def __init__(self, stamp: tuple[int, ...] | None, data: bytes | None) -> None:
        self._stamp = stamp
        self._data = data
        self._read = time.time_ns()

    def is_current(self, path: str) -> bool:
        """Tell whether the file still holds what was read."""
        if _stamp(path) != self._stamp:
            return False
        if self._data is None:
            return True
        # A file that was saved twice within one step of its file system's clock looks the same.
        if self._stamp is None or self._read - self._stamp[0] < _CLOCK_STEP:
            try:
                with open(path, "rb") as file:
                    if file.read() != self._data:
                        return False
            except OSError:
                return False
            self._read = time.time_ns()
        else:
            self._data = None  # its time alone tells from here on
        return True


# By path: what was read since the last run ended.
_loaded: dict[str, _Loaded] = {}


class _Finder(importlib.machinery.FileFinder):
    """Looks into the folder each time: a file can be newer than its folder's time stamp."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        self.invalidate_caches()
        return super().find_spec(fullname, target)


_LOADERS = (
    (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
)


class ScriptModules:
    """Knows which modules scripts have brought in."""

    def __init__(self) -> None:
        self._settled = tuple(_folder(path) for path in _settled_folders())
        self._known = set(sys.modules)
        self._count = len(sys.modules)
        # Name → (folder of the script, path, what was read)
        self._tracked: dict[str, tuple[str, str, _Loaded]] = {}

    def install(self) -> None:
        sys.path_hooks.insert(0, self._path_hook)
        sys.path_importer_cache.clear()

    def uninstall(self) -> None:
        if self._path_hook in sys.path_hooks:
            sys.path_hooks.remove(self._path_hook)
            sys.path_importer_cache.clear()

    def _path_hook(self, path: str) -> _Finder:
        if not os.path.isdir(path or ".") or self._is_settled(os.path.abspath(path)):
            raise ImportError("not a folder of scripts", path=path)
        return _Finder(path, *_LOADERS)

    def _is_settled(self, path: str) -> bool:
        return _folder(path).startswith(self._settled)

    def before_run(self, folder: str) -> None:
        """Drop what the next script must not see: other scripts' modules, changed ones."""
        for own_folder, path, loaded in self._tracked.values():
            if own_folder != folder or not loaded.is_current(path):
                # One that did not change may hold on to one that did.
                self.forget()
                return

    def after_run(self, folder: str) -> None:
        """Note which modules the run has brought in."""
        if len(sys.modules) == self._count:
            return
        for name in sys.modules.keys() - self._known:
            path = _origin(sys.modules[name])
            if path is not None and not self._is_settled(path):
                loaded = _loaded.get(path) or _Loaded(_stamp(path), None)
                self._tracked[name] = folder, path, loaded
        _loaded.clear()
        self._known = set(sys.modules)
        self._count = len(sys.modules)

    def forget(self) -> None:
        """Drop all modules that scripts have brought in."""
        for name in self._tracked:
            sys.modules.pop(name, None)
        self._tracked.clear()
        self._known = set(sys.modules)
        self._count = len(sys.modules)


def _settled_folders() -> Iterator[str | None]:
    """Yield the folders whose modules stay for the life of the process."""
    yield os.path.dirname(os.path.abspath(__file__))
    yield os.path.dirname(bpy.app.binary_path) or None
    for name in ("LOCAL", "SYSTEM"):
        yield bpy.utils.resource_path(name)
    yield from bpy.utils.script_paths()
    yield bpy.utils.user_resource("SCRIPTS")
    yield bpy.utils.user_resource("EXTENSIONS") if bpy.app.version >= (4, 2, 0) else None
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield sysconfig.get_path(name)
    yield from site.getsitepackages()
    yield site.getusersitepackages()


def _folder(path: str | None) -> str:
    # A text that no path begins with stands for a folder that there is not.
    return os.path.normcase(os.path.join(os.path.abspath(path), "")) if path else "\0"


def _origin(module: ModuleType) -> str | None:
    try:
        path = module.__file__
    except Exception:  # what lies in sys.modules may be anything
        return None
    return os.path.abspath(path) if isinstance(path, str) else None


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
