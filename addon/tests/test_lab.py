# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the answers to code of Blender Lab's MCP server."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import unittest
from typing import Any

import pure  # noqa: F401  # makes tcp_echo importable without Blender
from tcp_echo import lab, result
from tcp_echo.runs import Listener, Run


def _answer(code: str, names: dict[str, Any] | None = None, strict: bool = False) -> Any:
    """Return the answer to code, and raise nothing that the code raises."""
    outside: dict[str, Any] = {} if names is None else names
    mark = lab.STRICT_MARK if strict else lab.MARK
    run = Run(1, "1", code.encode() + mark, Listener(), name="<test>")
    streams = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        with contextlib.suppress(BaseException), lab.names_for(run, outside) as inside:
            exec(compile(run.code, "<test>", "exec"), inside)
        ours = sys.stdout, sys.stderr
    assert ours == streams, "the streams of the code are still there"
    answer = json.loads(result.to_json(outside["result"]))
    answer["passed_on"] = streams[0].getvalue()
    return answer


class Answers(unittest.TestCase):
    def test_the_streams_are_told_apart_and_passed_on(self) -> None:
        code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nresult = {'x': [1, None]}"
        answer = _answer(code)
        self.assertEqual(answer["status"], "ok")
        self.assertEqual(answer["result"], {"x": [1, None]})
        self.assertEqual((answer["stdout"], answer["stderr"]), ("out\n", "err\n"))
        self.assertEqual(answer["passed_on"], "out\n")

    def test_code_finds_no_names_of_the_code_before(self) -> None:
        names: dict[str, Any] = {"mine": 1}
        self.assertEqual(_answer("result = {'a': 1}; kept = 1", names)["result"], {"a": 1})
        self.assertEqual(_answer("x = 'kept' in globals()", names)["result"], {})
        self.assertEqual(
            _answer("result = {'n': 'kept' in globals()}", names)["result"], {"n": False}
        )
        self.assertEqual(sorted(names), ["mine", "result"])

    def test_what_is_no_json_is_shown_or_refused(self) -> None:
        code = "result = {'o': object, 'n': float('nan')}"
        self.assertEqual(_answer(code)["result"], {"o": "<class 'object'>", "n": "nan"})
        self.assertIn("not JSON-serializable", _answer(code, strict=True)["message"])
        bad = "class Bad:\n    def __repr__(self): raise ValueError\nresult = {'b': Bad()}"
        self.assertIn("repr() failed", _answer(bad)["result"]["b"])

    def test_a_result_that_can_not_be_had_is_an_error(self) -> None:
        for code, why in {
            "result = 3": "must be a dict, not int",
            "check_is_finished = print": "check_is_finished",
            "result = {(1, 2): 3}": "not JSON-serializable",
            "result = {'x': 'y' * 2000000}": "bytes as JSON",
            "result = {}\nresult['r'] = result": "not JSON-serializable",
        }.items():
            answer = _answer(code)
            self.assertEqual(answer["status"], "error", code)
            self.assertIn(why, answer["message"], code)

    def test_an_exception_is_an_error_with_what_was_printed(self) -> None:
        answer = _answer("print('hello')\n1/0")
        self.assertEqual((answer["status"], answer["stdout"]), ("error", "hello\n"))
        self.assertIn("ZeroDivisionError", answer["message"])
        self.assertNotIn("tcp_echo", answer["message"])
        names: dict[str, Any] = {}
        _answer("result = {'a': 1}", names)
        self.assertIn("SyntaxError", _answer("1 +* 2", names)["message"])
        self.assertEqual(_answer("import sys; sys.exit(3)")["status"], "error")
        self.assertEqual(_answer("import sys; sys.exit()")["status"], "ok")

    def test_of_long_output_the_beginning_is_answered(self) -> None:
        answer = _answer("print('\\U0001f600' * 100000)\nresult = {'x': 'y' * 1000}")
        self.assertEqual(answer["result"], {"x": "y" * 1000})
        self.assertIn("[67233 more characters", answer["stdout"])
        self.assertEqual(len(answer["passed_on"]), 100001)

    def test_other_code_has_its_own_names(self) -> None:
        names = {"x": 1}
        run = Run(1, "1", b"pass", Listener())
        with lab.names_for(run, names) as inside:
            self.assertIs(inside, names)


if __name__ == "__main__":
    unittest.main()
