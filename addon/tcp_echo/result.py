# SPDX-License-Identifier: GPL-3.0-or-later
"""Encodes the value of a script's global `result` as JSON."""

from __future__ import annotations

import json

# The largest result, in bytes of JSON. A result is a report; larger data belongs into files.
MAX_RESULT = 1024 * 1024


class ResultError(Exception):
    """The value can't be sent; the text says why, for the script's author."""


def to_json(value: object) -> str:
    """Return the value as JSON text of at most MAX_RESULT bytes."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ResultError("it nests too deeply") from None
    except (TypeError, ValueError) as error:
        raise ResultError(str(error)) from None
    if "\\ud" in text and not _is_text(value):
        raise ResultError(
            "it has half of a surrogate pair (\\ud800 to \\udfff), which is no character"
        )
    if len(text) > MAX_RESULT:
        raise ResultError(f"it is {len(text)} bytes as JSON; the limit is {MAX_RESULT}")
    return text


def _is_text(value: object) -> bool:
    """Whether the texts in a value that JSON holds can be written in UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
