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
    return _decoder.decode(text.decode("utf-8"))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


# Made once: `json.loads` makes a decoder for each text when it is not the usual decoder.
_decoder = json.JSONDecoder(parse_constant=_refuse)
