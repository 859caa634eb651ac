# SPDX-License-Identifier: GPL-3.0-or-later
"""Describes an exception as Python prints it, without the frames of the add-on."""

from __future__ import annotations

import asyncio
import os
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

_OWN_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
# asyncio calls a script that awaits at its top level.
_DRIVING_FOLDERS = (_OWN_FOLDER, os.path.join(os.path.dirname(asyncio.__file__), ""))


def describe(exception: BaseException, filename: str, told: bool = False) -> dict[str, Any]:
    """Return the `error` of a `finished` frame for the exception that ended a script.

    It has no traceback when the output has `told` of the exception already.
    """
    try:
        trace = without_own_frames(exception.__traceback__)
        return {
            "type": _type_name(exception),
            "message": _message(exception),
            "line": _line(exception, trace, filename),
            "traceback": "" if told else _format(exception, trace),
        }
    except (Exception, RecursionError):
        # The class of the exception may be the script's own, and its methods may raise.
        name = type(exception).__name__
        return {"type": name, "message": "", "line": 0, "traceback": f"{name}\n"}


def _type_name(exception: BaseException) -> str:
    kind = type(exception)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    if kind.__module__ == __package__ or kind.__module__.startswith(f"{__package__}."):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(exception: BaseException) -> str:
    try:
        if isinstance(exception, SystemExit):
            return str(exception.code)
        if isinstance(exception, SyntaxError) and exception.msg:
            return str(exception.msg)
        return str(exception)
    except BaseException:  # what __str__ raises is not what ended the run
        return f"<exception str() of {type(exception).__name__} failed>"


def _is_own(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER)


def without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the add-on's frames at its two ends."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_DRIVING_FOLDERS):
        trace = trace.tb_next
    last = None
    step = trace
    while step is not None:
        if not _is_own(step):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
    return trace


def _line(exception: BaseException, trace: TracebackType | None, filename: str) -> int:
    if isinstance(exception, SyntaxError) and exception.filename == filename:
        return exception.lineno or 0
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno or 0
        trace = trace.tb_next
    return line


def _format(exception: BaseException, trace: TracebackType | None) -> str:
    return "".join(traceback.format_exception(type(exception), exception, trace))
