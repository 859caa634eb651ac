# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Blender's module of this name."""


def paths() -> list:
    return []


def enable(_module_name: str, **_options) -> None:
    pass


def disable(_module_name: str, **_options) -> None:
    pass
