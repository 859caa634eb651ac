# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads the modules of scripts again when they have changed, and for a fresh scene.

Python keeps a module for the life of the process, and uses its byte-code again when the size
of the source and its time in seconds are the same. Both are wrong for scripts that are saved
and run again at once. So modules that do not belong to Blender, Python or an add-on that is
enabled from the start are always compiled from source. When such a module has changed, all of
them are dropped before the next run.

What is installed as a package stays loaded, and so do all modules of a package that has compiled
ones: most of these, NumPy among them, can't be loaded twice.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import site
import sys
import sysconfig
import time
import types
from typing import TYPE_CHECKING, Any

import addon_utils
import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    from .runs import Run

# The coarsest step of a file system's clock, in ns: FAT counts in steps of two seconds.
_CLOCK_STEP = 2_000_000_000

# How many files of modules the end of a run names at most.
_MOST_IMPORTS = 500


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time, and leaves no __pycache__ in the user's folders."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        stamp = _stamp(path)  # first: a save while it is read then counts as a change
        data = self.get_data(path)
        loaded = _loaded[os.path.abspath(path)] = _Loaded(stamp, data)
        code: CodeType = self.source_to_code(data, path)
        _add_names(code, loaded.names)
        return code


class _Loaded:
    """The source that a module was loaded from."""

    def __init__(self, stamp: tuple[int, ...] | None, data: bytes | None) -> None:
        self._stamp = stamp
        self._data = data
        self._read = time.time_ns()
        self.digest = "" if data is None else hashlib.sha256(data).hexdigest()
        # What the module names, the modules among them that it imports.
        self.names: set[str] = set()

    def is_current(self, path: str) -> bool:
        """Return whether the file still has the source that was read."""
        if _stamp(path) != self._stamp:
            return False
        if self._data is None:
            return True
        # A file that is saved twice within one step of the clock keeps its time, so its content
        # is compared.
        if self._stamp is None or self._read - self._stamp[0] < _CLOCK_STEP:
            try:
                with open(path, "rb") as file:
                    if file.read() != self._data:
                        return False
            except OSError:
                return False
            self._read = time.time_ns()
        else:
            self._data = None  # from here on the time is enough
        return True


_COMPILED = tuple(importlib.machinery.EXTENSION_SUFFIXES)

# The sources that were read since the last run ended, by their paths.
_loaded: dict[str, _Loaded] = {}


class _Finder(importlib.machinery.FileFinder):
    """Lists the folder at each import: a file can be newer than its folder's time stamp."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        self.invalidate_caches()
        return super().find_spec(fullname, target)


# Folders of this name have what is installed.
_PACKAGES = tuple(
    os.path.normcase(os.path.join("", name, "")) for name in ("site-packages", "dist-packages")
)

_LOADERS = (
    (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    (importlib.machinery.SourcelessFileLoader, importlib.machinery.BYTECODE_SUFFIXES),
)


class ScriptModules:
    """Keeps track of the modules that scripts have imported."""

    def __init__(self) -> None:
        self._settled = tuple(_folder(path) for path in _settled_folders())
        # An add-on there is the scripts' own unless it is enabled from the start.
        folders: Any = addon_utils.paths  # the stubs know no result
        self._addons = tuple(_folder(path) for path in folders())
        self._known = set(sys.modules)
        self._newest = _newest_module()
        # The packages and modules that are loaded before the first script: add-ons among them.
        self._first = frozenset(name.partition(".")[0] for name in sys.modules)
        # By the module's name: the folder of the script, the path, the source.
        self._tracked: dict[str, tuple[str, str, _Loaded]] = {}

    def install(self) -> None:
        sys.path_hooks.insert(0, self._path_hook)
        # What is known of Python's own folders stays, as a script's first import is quicker so.
        for path in list(sys.path_importer_cache):
            if not self._is_settled(os.path.abspath(path)):
                del sys.path_importer_cache[path]

    def uninstall(self) -> None:
        if self._path_hook in sys.path_hooks:
            sys.path_hooks.remove(self._path_hook)
            sys.path_importer_cache.clear()

    def _path_hook(self, path: str) -> _Finder:
        if not os.path.isdir(path or ".") or self._is_settled(os.path.abspath(path)):
            raise ImportError("not a folder of scripts", path=path)
        return _Finder(path, *_LOADERS)

    def _is_settled(self, path: str) -> bool:
        folder = _folder(path)
        return folder.startswith(self._settled) or any(name in folder for name in _PACKAGES)

    def stays(self, name: str) -> bool:
        """Return whether a module stays loaded when the modules of scripts are dropped."""
        module = sys.modules.get(name)
        if module is None or name == "__main__":
            return False
        path = _origin(module)
        if path is None or name.partition(".")[0] in self._first:
            return True
        return self._is_settled(path) and not _folder(path).startswith(self._addons)

    def before_run(self, folder: str, any_folder: bool) -> None:
        """Drop the modules of scripts when one has changed or belongs to another folder.

        With `any_folder` the modules of other folders stay.
        """
        _loaded.clear()  # what a run has read that could not be loaded
        for own_folder, path, loaded in self._tracked.values():
            if (own_folder != folder and not any_folder) or not loaded.is_current(path):
                # All of them, because an unchanged module may refer to a changed one.
                self.forget()
                return

    def imported(self, run: Run, code: CodeType | None) -> list[tuple[str, str]]:
        """Return the files of modules below the watched folders that the run has imported.

        Each comes with the SHA-256 of the source that was loaded. A module that could not be loaded
        is among them. Where modules stay loaded from run to run, so is one that the script only
        seems to import, by a name of it that stands in the script.
        """
        if not run.watched or not (_loaded or self._tracked):
            return []
        found = dict(_loaded)
        names: set[str] = set()
        if code is not None and self._tracked:
            _add_names(code, names)
        for loaded in found.values():
            names |= loaded.names
        left = {name: (path, loaded) for name, (_, path, loaded) in self._tracked.items()}
        used = [""]
        while used:
            used = [n for n in left if n in names or n.rpartition(".")[2] in names]
            for name in used:
                path, loaded = left.pop(name)
                found[path] = loaded
                names |= loaded.names
        return [
            (path, loaded.digest)
            for path, loaded in sorted(found.items())
            if loaded.digest and path.startswith(run.watched)
        ][:_MOST_IMPORTS]

    def after_run(self, folder: str) -> None:
        """Record the modules that the run has imported."""
        if _newest_module() == self._newest:
            return  # a new module stands behind all others, so none is new
        new = sys.modules.keys() - self._known
        compiled = set()
        for name in new:
            path = _origin(sys.modules[name])
            if path is None or self.stays(name):
                continue
            if path.endswith(_COMPILED):
                compiled.add(name.partition(".")[0])
            loaded = _loaded.get(path) or _Loaded(_stamp(path), None)
            self._tracked[name] = folder, path, loaded
        if compiled:
            for name in [n for n in self._tracked if n.partition(".")[0] in compiled]:
                del self._tracked[name]
        _loaded.clear()
        self._known = set(sys.modules)
        self._newest = _newest_module()

    def forget(self) -> None:
        """Drop all modules that scripts have imported, but for those of enabled add-ons."""
        for name in list(self._tracked):
            if not _is_of_enabled_addon(name):
                sys.modules.pop(name, None)
                del self._tracked[name]
        self._known = set(sys.modules)
        self._newest = _newest_module()

    def forget_package(self, package: str) -> None:
        """Drop a package that is of no use any more, such as an add-on that was disabled."""
        names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
        files = [_origin(sys.modules[name]) or "" for name in names]
        if any(file.endswith(_COMPILED) for file in files):
            return
        for name in names:
            sys.modules.pop(name, None)
            self._tracked.pop(name, None)
        self._known = set(sys.modules)
        self._newest = _newest_module()


def _newest_module() -> str:
    """Return the name of the module that was added last."""
    return next(reversed(sys.modules), "")


def _add_names(code: CodeType, names: set[str]) -> None:
    """Add the names and the short texts in the code: a module is imported by one of them."""
    names.update(code.co_names)
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            _add_names(value, names)
        elif isinstance(value, str) and len(value) < 200:
            names.add(value)


def _is_of_enabled_addon(name: str) -> bool:
    while name:
        if getattr(sys.modules.get(name), "__addon_enabled__", False) is True:
            return True
        name = name.rpartition(".")[0]
    return False


def _settled_folders() -> Iterator[str | None]:
    """Yield the folders whose modules stay for the life of the process."""
    yield os.path.dirname(os.path.abspath(__file__))
    yield os.path.dirname(bpy.app.binary_path) or None
    for name in ("LOCAL", "SYSTEM"):
        yield bpy.utils.resource_path(name)
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield sysconfig.get_path(name)
    yield from site.getsitepackages()
    yield site.getusersitepackages()


def _folder(path: str | None) -> str:
    # No path begins with a null character, so it stands for a folder that does not exist.
    return os.path.normcase(os.path.join(os.path.abspath(path), "")) if path else "\0"


def _origin(module: ModuleType) -> str | None:
    try:
        path = getattr(module, "__file__", None)
        if path is None:  # a package without a file is the folders that it lies in
            path = next(iter(getattr(module, "__path__", ())), None)
    except Exception:  # sys.modules may hold any object
        return None
    return os.path.abspath(path) if isinstance(path, str) else None


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
