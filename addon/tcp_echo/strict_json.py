# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON as its standard has it: UTF-8 alone, and no NaN."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def loads(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises ValueError for what Python's own `json.loads` accepts beyond the standard: UTF-16,
    UTF-32, NaN and Infinity. Raises RecursionError for values that are nested too deeply.
    """
    return json.loads(text.decode("utf-8"), parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
