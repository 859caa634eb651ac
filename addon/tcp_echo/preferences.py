# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts back Blender's preferences, add-ons and flags, for scripts that share a Blender."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import addon_utils
import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the preferences consist of; themes, keymaps and lists of folders are not put back.
_SECTIONS = (
    "apps",
    "edit",
    "experimental",
    "extensions",
    "filepaths",
    "inputs",
    "keymap",
    "system",
    "view",
)

# The options of the command line that say whether scripts in files may run.
_OPTIONS = ("-y", "--enable-autoexec", "-Y", "--disable-autoexec")


class Preferences:
    """The preferences, add-ons and flags as they were before the first script."""

    def __init__(self) -> None:
        self._names = list(_names())
        self._values = self._read()
        self._addons = enabled_addons()
        self._known = frozenset(sys.modules)
        # The preferences of add-ons that are one value each: the names and the values.
        self._of_addons = {
            addon: (names, _values(_addon_preferences(addon), names))
            for addon in self._addons
            if (names := list(_own_names(_addon_preferences(addon))))
        }
        flags = [name for name in dir(bpy.app) if name.startswith(("debug", "use_"))]
        self._flags = {name: getattr(bpy.app, name) for name in flags}

    def changed(self) -> bool:
        """Return whether add-ons are enabled or disabled, or their preferences changed."""
        return (
            self._addons != enabled_addons()
            or any(self._enabled_besides())
            or any(
                _values(_addon_preferences(addon), names) != values
                for addon, (names, values) in self._of_addons.items()
            )
        )

    def put_back(self) -> None:
        """Put back preferences and flags."""
        for name, value in self._flags.items():
            if getattr(bpy.app, name) != value:
                setattr(bpy.app, name, value)
        now = self._read()
        if now == self._values:
            return
        preferences = bpy.context.preferences
        for (section, name), value, current in zip(self._names, self._values, now):
            if value != current:
                setattr(getattr(preferences, section), name, value)
        preferences.is_dirty = False  # type: ignore[union-attr]  # there always are preferences

    def put_back_addons(self) -> list[str]:
        """Disable the add-ons that scripts enabled, as Blender does, and return their names.

        Add-ons that scripts disabled are enabled again.
        """
        mine = {*(enabled_addons() - self._addons), *self._enabled_besides()}
        for name in mine:
            addon_utils.disable(name, default_set=True)
        self.enable_addons()
        for addon, (names, values) in self._of_addons.items():
            preferences = _addon_preferences(addon)
            for name, value in zip(names, values):
                if preferences is not None and _value(preferences, name) != value:
                    setattr(preferences, name, value)
        return list(mine)

    def enable_addons(self) -> None:
        """Enable the add-ons again that scripts disabled."""
        for name in self._addons - enabled_addons():
            addon_utils.enable(name, default_set=True)
        for name in self._addons:
            if not getattr(sys.modules.get(name), "__addon_enabled__", True):
                addon_utils.enable(name)

    def _read(self) -> list[Any]:
        preferences = bpy.context.preferences
        sections = {name: getattr(preferences, name, None) for name in _SECTIONS}
        return [_value(sections[section], name) for section, name in self._names]

    def _enabled_besides(self) -> Iterator[str]:
        """Yield the add-ons that are enabled without being in the preferences."""
        for name in sys.modules.keys() - self._known:
            if getattr(sys.modules.get(name), "__addon_enabled__", False) is True:
                yield name


def enabled_addons() -> set[str]:
    """Return the names of the add-ons that are enabled in the preferences."""
    preferences = bpy.context.preferences
    assert preferences is not None  # Blender always has them
    return set(preferences.addons.keys())


def forget_trust() -> None:
    """Let scripts in files run only where the preferences or the command line allow it.

    A script that opened a file with `use_scripts` has set it for the files after that file, too.
    """
    if not any(option in sys.argv for option in _OPTIONS):
        # Blender takes the preference over when it is set.
        preferences: Any = bpy.context.preferences
        dirty, files = preferences.is_dirty, preferences.filepaths
        files.use_scripts_auto_execute = files.use_scripts_auto_execute
        preferences.is_dirty = dirty  # nothing has changed that a person would want to save


def _names() -> Iterator[tuple[str, str]]:
    """Yield the preferences that are one value each: the section's name and the own name."""
    preferences = bpy.context.preferences
    for section in _SECTIONS:
        struct = getattr(preferences, section, None)
        if struct is None:
            continue
        for name in _own_names(struct):
            yield section, name


def _own_names(struct: Any) -> Iterator[str]:
    """Yield the names of the properties that are one value each."""
    if struct is None:
        return
    for prop in struct.bl_rna.properties:
        if prop.type not in ("POINTER", "COLLECTION") and not prop.is_readonly:
            yield prop.identifier


def _values(struct: Any, names: list[str]) -> list[Any]:
    return [_value(struct, name) for name in names]


def _value(struct: Any, name: str) -> Any:
    value: Any = getattr(struct, name, None)
    if isinstance(value, (bool, int, float, str, set)):
        return value
    try:
        return tuple(value)
    except TypeError:  # a matrix has rows, and this has neither
        return None


def _addon_preferences(addon: str) -> Any:
    """Return the preferences of an add-on, or None when it has none."""
    preferences = bpy.context.preferences
    entry: Any = preferences.addons.get(addon) if preferences is not None else None
    return None if entry is None else entry.preferences
