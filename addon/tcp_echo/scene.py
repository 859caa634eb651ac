# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares the scene that a run begins with: the last run's scene, a fresh one, or a file."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from typing import TYPE_CHECKING

import addon_utils
import bpy

if TYPE_CHECKING:
    from .imports import ScriptModules
    from .runs import Run

_ROOTS = tuple(
    getattr(bpy.types, name)
    for name in (
        "Operator",
        "Macro",
        "Panel",
        "Menu",
        "Header",
        "UIList",
        "PropertyGroup",
        "AddonPreferences",
        "KeyingSetInfo",
        "RenderEngine",
        "Gizmo",
        "GizmoGroup",
        "Node",
        "NodeSocket",
        "NodeSocketStandard",
        "NodeTree",
        "NodeTreeInterfaceSocket",
        "NodeSocketInterface",
        "AssetShelf",
        "FileHandler",
        "XrActionMapItem",
    )
    if hasattr(bpy.types, name)
)


class SceneError(Exception):
    """The scene that a run asks for can't be prepared."""


class Scenes:
    """Prepares scenes, and records Blender's state before the first script."""

    def __init__(self, modules: ScriptModules) -> None:
        self._modules = modules
        self._handler_lists = [
            (handlers, list(handlers))
            for handlers in map(bpy.app.handlers.__getattribute__, dir(bpy.app.handlers))
            if isinstance(handlers, list)
        ]
        classes = _classes()
        self._classes = set(classes)
        self._class_count = len(classes)
        self._addons = _enabled_addons()
        self._driver_names = set(bpy.app.driver_namespace)
        self._properties = [
            (kind, kind.bl_rna.properties, frozenset(kind.bl_rna.properties.keys()))
            for kind in _extensible()
        ]

        # Whether a run was executed in this process.
        self.used = False
        self._opened = time.time()
        # Whether the scene is the factory scene or the file of the command line.
        self._is_as_started = "--factory-startup" in sys.argv or bool(bpy.data.filepath)

        # Whether scripts have registered anything; None when that was not checked since the
        # last run.
        self._leftovers: bool | None = None

    def after_run(self, run: Run) -> None:
        """Check after a run whether the next fresh scene has anything to remove.

        The check takes longer than an empty script, and no client waits for it here. Call this
        only where nothing but scripts registers anything. After a run with the scene "keep"
        there is no check: mostly another such run follows at once.
        """
        if run.isolation == "process":
            return  # no other run will want a fresh scene of this process
        self._leftovers = None if run.scene == "keep" else self._has_leftovers()

    def _has_leftovers(self) -> bool:
        return (
            any(handlers != baseline for handlers, baseline in self._handler_lists)
            or len(_classes()) != self._class_count
            or not self._addons.issuperset(_enabled_addons())
            or not self._driver_names.issuperset(bpy.app.driver_namespace)
            or any(len(properties) > len(names) for _, properties, names in self._properties)
        )

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
        if not os.path.isabs(scene):
            raise SceneError(f"{scene!r} is neither keep, fresh nor the absolute path of a .blend")
        if not os.path.isfile(scene):
            raise SceneError(f"there is no scene file {scene}")
        self._begin_anew(run)
        try:
            bpy.ops.wm.open_mainfile(filepath=scene)
        except RuntimeError as error:
            text = str(error).strip()
            text = text[len("Error: ") :] if text.startswith("Error: ") else text
            raise SceneError(f"{scene} can't be opened: {text}") from None

    def _begin_anew(self, run: Run) -> None:
        if run.isolation == "scene" or (run.isolation == "process" and self.used):
            self.forget_scripts()

    def forget_scripts(self) -> None:
        """Remove what scripts have left in Blender and a new scene does not clear."""
        # In a Blender with a window, a person may have enabled add-ons.
        if bpy.app.background and self._leftovers is not False:
            self._remove_registered()
            self._leftovers = None
        self._modules.forget()
        gc.collect()

    def _remove_registered(self) -> None:
        for handlers, baseline in self._handler_lists:
            if handlers != baseline:
                handlers[:] = baseline
        for name in _enabled_addons() - self._addons:
            addon_utils.disable(name, default_set=True)
        classes = _classes()
        if len(classes) != self._class_count:
            self._unregister(classes)
        for name in set(bpy.app.driver_namespace) - self._driver_names:
            bpy.app.driver_namespace.pop(name, None)
        for kind, properties, names in self._properties:
            if len(properties) > len(names):
                for name in set(properties.keys()) - names:
                    delattr(kind, name)

    def _unregister(self, classes: list[type]) -> None:
        for cls in reversed(classes):
            if cls in self._classes or "bl_rna" not in vars(cls):
                continue
            with contextlib.suppress(RuntimeError):  # it was unregistered with its base class
                bpy.utils.unregister_class(cls)


def _enabled_addons() -> set[str]:
    preferences = bpy.context.preferences
    assert preferences is not None  # Blender always has them
    return set(preferences.addons.keys())


def _classes() -> list[type]:
    """Return all classes that scripts may have registered, base classes before derived ones.

    Blender's own classes are left out. Blender makes them when they are first asked for, and
    unregistering one of them crashes Blender.
    """
    found = list(_ROOTS)
    for cls in found:
        below = cls.__subclasses__()
        if below:
            found += below
    return [cls for cls in found if cls.__module__ not in ("bpy.types", "bpy_types")]


def _extensible() -> list[type[bpy.types.bpy_struct]]:
    """Return the types to which scripts add properties."""
    names = ["WindowManager", "Bone", "EditBone", "PoseBone"]
    for prop in bpy.data.bl_rna.properties:
        if isinstance(prop, bpy.types.CollectionProperty) and prop.fixed_type is not None:
            names.append(prop.fixed_type.identifier)
    return [getattr(bpy.types, name) for name in dict.fromkeys(names) if hasattr(bpy.types, name)]
