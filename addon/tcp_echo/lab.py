# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers code of Blender Lab's MCP server as Blender Lab's own add-on does.

The engine takes the requests of that server and has their code run in a session. The code then
ends with a line that says so: `MARK`, or `STRICT_MARK`. Such code finds no names of the code before
it, and leaves none. Its `result` is a dict. The answer becomes the result of the run.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from . import failure
from .result import MAX_RESULT
from .tee import Tees

if TYPE_CHECKING:
    from types import TracebackType

    from .runs import Run

# The last line of the code. With the second, a result that is no JSON is an error; with the first,
# what is no JSON becomes its repr().
MARK = b"\n# blendtray: answer Blender Lab's server"
STRICT_MARK = MARK + b" in strict JSON"

# How much of each stream an answer has, in characters. The output of the run has all of it.
_KEPT = 32 * 1024

_DEFERRED = (
    "`check_is_finished` is only supported where Blender has a window. "
    "Finish the request synchronously instead."
)


class NoAnswerError(Exception):
    """The code has ended, and has no result that could be sent; the text says why."""


def names_for(run: Run, names: dict[str, Any]) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """Return a context with the names in which the code of a run executes.

    They are `names`, or, for code of Blender Lab's server, new ones; `names` then gets the answer.
    """
    if run.code.endswith(MARK):
        return _Answering(run.filename, names, strict=False)
    if run.code.endswith(STRICT_MARK):
        return _Answering(run.filename, names, strict=True)
    return contextlib.nullcontext(names)


class _Kept:
    """The beginning of what was printed."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = _KEPT
        self._cut = 0

    def add(self, text: str) -> None:
        if self._room:
            self._parts.append(text[: self._room])
        self._cut += max(0, len(text) - self._room)
        self._room = max(0, self._room - len(text))

    def text(self) -> str:
        cut = f"\n[{self._cut} more characters; the output of the run has them]\n"
        return "".join(self._parts) + (cut if self._cut else "")


class _Answering:
    """Executes code in names of its own, and makes the answer, which becomes `result` outside."""

    def __init__(self, filename: str, outside: dict[str, Any], strict: bool) -> None:
        self._filename = filename
        self._outside = outside
        self._strict = strict
        self._inside: dict[str, Any] = {"__name__": "__main__", "result": {}}
        self._stdout, self._stderr = _Kept(), _Kept()
        self._tees = Tees()

    def __enter__(self) -> dict[str, Any]:
        self._outside["result"] = None  # not the answer of the code before
        self._tees.put(self._stdout.add, self._stderr.add)
        return self._inside

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ValueError):  # the code has closed the stream below
            self._tees.end()
        sys.stdout.flush()
        printed = {"stdout": self._stdout.text(), "stderr": self._stderr.text()}
        answer: dict[str, Any]
        wrong = None
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            try:
                room = MAX_RESULT - len(json.dumps(printed)) - 1024
                answer = {"status": "ok", "result": _value(self._inside, self._strict, room)}
            except NoAnswerError as no_answer:
                wrong = no_answer
                answer = {"status": "error", "message": str(no_answer)}
        else:
            told = failure.describe(error, self._filename)
            answer = {"status": "error", "message": told["traceback"] or told["message"]}
        self._outside["result"] = {**answer, **printed}
        if wrong is not None:
            raise wrong


def _value(names: dict[str, Any], strict: bool, room: int) -> dict[str, Any]:
    """Return the result of code as JSON has it, which may have so many bytes.

    Raises NoAnswerError when there is none.
    """
    if callable(names.get("check_is_finished")):
        raise NoAnswerError(_DEFERRED)
    value = names.get("result", {})
    if not isinstance(value, dict):
        raise NoAnswerError(
            f"The `result` variable must be a dict, not {type(value).__name__}. "
            'Wrap your return value: `result = {"key": value}`'
        )
    try:
        if not strict:
            value = _finite(json.loads(json.dumps(value, default=_repr)))
        text = json.dumps(value, allow_nan=False)
    except Exception as error:  # a method of a value may raise anything
        raise NoAnswerError(f"The `result` value is not JSON-serializable: {error}") from None
    if len(text) > room:
        raise NoAnswerError(
            f"The `result` has {len(text)} bytes as JSON, and may have {room}. "
            "Write larger data into a file."
        )
    answer: dict[str, Any] = json.loads(text)
    return answer


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: repr() failed: {type(error).__name__}>"


def _finite(value: Any) -> Any:
    """Return a value of JSON with texts in the place of the numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value
