# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the installer wrote beside the add-on."""

from __future__ import annotations

import json
import os

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "blendtray.json")


def chosen_loop() -> str:
    """Return "proactor", "posix", or "auto" when no loop was chosen."""
    try:
        with open(_FILE, encoding="utf-8") as file:
            loop = json.load(file).get("loop")
    except (OSError, ValueError, AttributeError):
        return "auto"
    return loop if loop in ("proactor", "posix") else "auto"
