# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts back the classes of Blender's types: what scripts registered, and what they set in them."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

import bpy

# What a class has that Blender makes when it is first asked for.
_MADE = frozenset(
    ("__module__", "__doc__", "__slots__", "__annotations__", "__dict__", "__weakref__", "bl_rna")
)
_OF_BLENDER = ("bpy.types", "bpy_types", "_bpy_types")

_subclasses = type.__subclasses__


class Types:
    """The classes as they were before the first script."""

    def __init__(self) -> None:
        # By class: the names in it.
        self._names = {cls: frozenset(vars(cls)) for cls in _all()}
        # Outside Blender, nothing names these any more once they are unregistered.
        self._registered = [cls for cls, names in self._names.items() if "bl_rna" in names]
        self._properties = [
            (kind, kind.bl_rna.properties, frozenset(kind.bl_rna.properties.keys()))
            for kind in _extensible()
        ]
        self._sizes = [len(names) for _, _, names in self._properties]
        self._note()

    def _note(self) -> None:
        """Note the numbers by which `changed` notices something, which takes 0.2 ms."""
        self._classes = list(self._names)
        # The dicts themselves, because the views of them are slower.
        self._dicts: list[Any] = gc.get_referents(*map(vars, self._classes))
        self._counts = list(map(len, map(_subclasses, self._classes)))
        self._lengths = list(map(len, self._dicts))

    def changed(self) -> bool:
        """Return whether there is another class, or a name in a class, or a property."""
        return (
            list(map(len, map(_subclasses, self._classes))) != self._counts
            or list(map(len, self._dicts)) != self._lengths
            or [len(properties) for _, properties, _ in self._properties] != self._sizes
        )

    def lost(self) -> str:
        """Return the name of a class of Blender that a script unregistered, or ""."""
        for cls in self._registered:
            if "bl_rna" not in vars(cls):
                return cls.__name__
        return ""

    def put_back(self) -> None:
        """Remove what scripts registered, and what they set in Blender's classes."""
        classes = _all()
        for cls in reversed(classes):
            if cls in self._names or cls.__module__ in _OF_BLENDER or "bl_rna" not in vars(cls):
                continue
            with contextlib.suppress(RuntimeError):  # it was unregistered with its base class
                bpy.utils.unregister_class(cls)
        for cls in classes:
            names = self._names.get(cls)
            if names is None and cls.__module__ in _OF_BLENDER:
                names = _MADE
                self._names[cls] = frozenset(vars(cls)) & _MADE
            if names is not None and len(vars(cls)) > len(self._names[cls]):
                for name in set(vars(cls)) - names:
                    delattr(cls, name)
        for kind, properties, names in self._properties:
            if len(properties) > len(names):
                for name in set(properties.keys()) - names:
                    # A property of all kinds of data is removed with the first of them.
                    if name in properties:
                        delattr(kind, name)

    def settle(self) -> None:
        """Take what there is now for what is always there, when the scripts' classes are gone."""
        self._note()


def _all() -> list[type]:
    """Return the classes of Blender's types, base classes before derived classes."""
    found: list[type] = [bpy.types.bpy_struct]
    seen = set(found)
    for cls in found:
        below: type
        for below in _subclasses(cls):
            if below not in seen:
                seen.add(below)
                found.append(below)
    return found


def _extensible() -> list[type[bpy.types.bpy_struct]]:
    """Return the types to which scripts add properties."""
    names = [
        "ID",
        "WindowManager",
        "Bone",
        "BoneCollection",
        "EditBone",
        "PoseBone",
        "ViewLayer",
        "Node",
        "NodeSocket",
        "Sequence",
        "Strip",
        "TimelineMarker",
    ]
    for prop in bpy.data.bl_rna.properties:
        if isinstance(prop, bpy.types.CollectionProperty) and prop.fixed_type is not None:
            names.append(prop.fixed_type.identifier)
    return [getattr(bpy.types, name) for name in dict.fromkeys(names) if hasattr(bpy.types, name)]
