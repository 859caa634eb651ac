# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares the scene that a run begins with: the last run's scene, a fresh one, or a file."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import bpy

from . import preferences
from .blender_types import Types

if TYPE_CHECKING:
    from .imports import ScriptModules
    from .runs import Run


class SceneError(Exception):
    """The scene that a run asks for can't be prepared."""


class Unclean(Exception):
    """A script has changed something that can't be put back."""


class _Baseline:
    """Blender's state before the first script."""

    def __init__(self) -> None:
        self.handler_lists = [
            (handlers, list(handlers))
            for handlers in map(bpy.app.handlers.__getattribute__, dir(bpy.app.handlers))
            if isinstance(handlers, list)
        ]
        self.types = Types()
        self.preferences = preferences.Preferences()
        self.driver_names = set(bpy.app.driver_namespace)
        self.node_categories = dict(_node_categories())

    def changed(self) -> bool:
        return (
            any(handlers != baseline for handlers, baseline in self.handler_lists)
            or self.types.changed()
            or self.preferences.changed()
            or not self.driver_names.issuperset(bpy.app.driver_namespace)
            or self.node_categories.keys() != _node_categories().keys()
        )


class Scenes:
    """Prepares scenes, and removes what scripts have left in Blender."""

    def __init__(self, modules: ScriptModules) -> None:
        self._modules = modules
        self._baseline: _Baseline | None = None

        # Whether a run was executed in this process.
        self.used = False
        self._opened = time.time()
        # Whether the scene is the factory scene or the file of the command line.
        self._is_as_started = "--factory-startup" in sys.argv or bool(bpy.data.filepath)

        # Whether scripts have registered anything; None when that was not checked since the
        # last run.
        self._leftovers: bool | None = None

    def record(self) -> bool:
        """Record Blender's state ahead of the first run; returns false when it was there before."""
        if self._baseline is not None or self.used:
            return False
        self._baseline = _Baseline()
        return True

    def after_run(self, run: Run) -> None:
        """Check after a run whether the next fresh scene has anything to remove.

        The check takes longer than an empty script, and no client waits for it here. Call this
        only where nothing but scripts registers anything. After a run with the scene "keep"
        there is no check: mostly another such run follows at once. Raises Unclean when this
        Blender should execute no other run.
        """
        baseline = self._baseline
        if run.isolation == "process" or baseline is None:
            return  # no other run will want a fresh scene of this process
        self._leftovers = None
        if run.scene == "keep":
            return
        self._leftovers = baseline.changed()
        if run.isolation != "scene" or not bpy.app.background:
            return
        baseline.preferences.put_back()
        if not self._leftovers:
            return
        baseline.preferences.enable_addons()
        lost = baseline.types.lost()
        if lost:
            raise Unclean(f"a script has unregistered Blender's {lost}")

    def must_prepare(self, run: Run) -> bool:
        """Return whether the run needs another scene than that which is there."""
        if run.scene == "keep":
            return False
        if run.isolation != "process" or self.used:
            return True
        return not (self._is_as_started if run.scene == "fresh" else self._is_open(run.scene))

    def _is_open(self, file: str) -> bool:
        """Return whether Blender has opened the file, as it is now, from its command line."""
        try:
            return (
                os.path.samefile(file, bpy.data.filepath) and os.stat(file).st_mtime < self._opened
            )
        except OSError:
            return False

    def prepare(self, run: Run) -> None:
        """Prepare the scene; raises SceneError when that is not possible."""
        scene = run.scene
        if scene == "fresh":
            self._begin_anew(run)
            bpy.ops.wm.read_homefile(use_factory_startup=True)
            return
        _check_file(scene)
        self._begin_anew(run)
        open_file(scene)

    def _begin_anew(self, run: Run) -> None:
        if run.isolation == "scene" or (run.isolation == "process" and self.used):
            try:
                self.forget_scripts()
            except BaseException as error:
                raise Unclean(f"{type(error).__name__}: {error}") from error

    def forget_scripts(self) -> None:
        """Remove what scripts have left in Blender and a new scene does not clear."""
        # In a Blender with a window, a person may have enabled add-ons.
        removes = bpy.app.background and self._leftovers is not False
        baseline = self._baseline
        if removes and baseline is not None:
            self._remove_registered(baseline)
            self._leftovers = None
        self._modules.forget()
        preferences.forget_trust()
        gc.collect()
        if removes and baseline is not None:
            baseline.types.settle()

    def _remove_registered(self, baseline: _Baseline) -> None:
        for handlers, before in baseline.handler_lists:
            if handlers != before:
                handlers[:] = before
        for name in _node_categories().keys() - baseline.node_categories.keys():
            sys.modules["nodeitems_utils"].unregister_node_categories(name)
        for name in baseline.preferences.put_back_addons():
            self._modules.forget_package(name)
        baseline.preferences.put_back()
        baseline.types.put_back()
        for name in set(bpy.app.driver_namespace) - baseline.driver_names:
            bpy.app.driver_namespace.pop(name, None)


def open_file(path: str, load_ui: bool = True) -> None:
    """Open a .blend; raises SceneError when that is not possible.

    Scripts in the file run only where the preferences or the command line allow it. Without
    `load_ui`, the windows stay as they are.
    """
    _check_file(path)
    preferences.forget_trust()
    options: Any = {} if load_ui else {"load_ui": False}  # else the preferences decide
    try:
        bpy.ops.wm.open_mainfile(filepath=path, **options)
    except RuntimeError as error:
        raise SceneError(f"{path} can't be opened: {error_text(error)}") from None


def _check_file(path: str) -> None:
    if not os.path.isabs(path):
        raise SceneError(f"{path!r} is neither keep, fresh nor the absolute path of a .blend")
    if not os.path.isfile(path):
        raise SceneError(f"there is no scene file {path}")


def error_text(error: RuntimeError) -> str:
    """Return what an operator has reported as its error."""
    text = str(error).strip()
    return text[len("Error: ") :] if text.startswith("Error: ") else text


def _node_categories() -> dict[str, object]:
    """Return the categories of nodes that are registered, by their identifiers."""
    module = sys.modules.get("nodeitems_utils")
    categories: dict[str, object] = getattr(module, "_node_categories", {})
    return categories
