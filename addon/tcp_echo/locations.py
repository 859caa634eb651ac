# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the file that Blender means by a path in its data."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from bpy.types import Library


def absolute(path: str, library: Library | None = None) -> str:
    """Return the absolute path of the file that Blender reads or writes by a path.

    On Windows, Blender takes a path without a drive, such as `/tmp`, for a path on the drive of the
    system, and Python for a path on the drive of the working directory.
    """
    path = bpy.path.abspath(path, library=library)
    if sys.platform == "win32" and path and not os.path.splitdrive(path)[0]:
        path = os.path.join(_system_drive(), path.lstrip("/\\"))
    return os.path.abspath(path)


def _system_drive() -> str:
    """Return the root of the drive that Windows is on."""
    system = os.environ.get("SYSTEMROOT", "C:\\")
    return os.path.splitdrive(system)[0] + "\\"
