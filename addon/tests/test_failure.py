# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions are told as Python tells them."""

import linecache
import traceback
import unittest

import pure  # noqa: F401
from tcp_echo import failure, result


def raised_by(source):
    """Return what the source raises, with a traceback that begins in this file."""
    linecache.cache["s.py"] = (len(source), None, source.splitlines(True), "s.py")
    try:
        exec(compile(source, "s.py", "exec"), {"__name__": "__main__"})
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next
        return error
    return None


class DescribeTest(unittest.TestCase):
    def test_the_line_is_that_of_the_script_even_when_a_module_raised(self):
        told = failure.describe(raised_by("import json\n\njson.loads('{')\n"), "s.py")
        self.assertEqual((told["type"], told["line"]), ("json.decoder.JSONDecodeError", 3))

    def test_the_traceback_is_what_python_prints(self):
        error = raised_by("try:\n  1/0\nexcept Exception as e:\n  raise ValueError('x') from e\n")
        expected = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        told = failure.describe(error, "s.py")
        self.assertEqual(told["traceback"], expected)
        self.assertEqual((told["type"], told["message"], told["line"]), ("ValueError", "x", 4))

    def test_a_syntax_error_has_its_line_and_no_header(self):
        told = failure.describe(raised_by("a = 1\nb = (\n"), "s.py")
        self.assertEqual(told["line"], 2)
        self.assertTrue(told["traceback"].startswith('  File "s.py", line 2\n'))

    def test_an_exception_that_can_not_be_printed_is_told_all_the_same(self):
        told = failure.describe(
            raised_by("class E(Exception):\n  def __str__(self): 1/0\nraise E"), "s.py"
        )
        self.assertEqual((told["type"], told["line"]), ("E", 3))

    def test_an_exit_code_is_the_message(self):
        self.assertEqual(failure.describe(SystemExit(3), "s.py")["message"], "3")


class ResultTest(unittest.TestCase):
    def test_what_json_holds_is_sent(self):
        self.assertEqual(result.to_json({"a": [1, None, "ü"]}), '{"a":[1,null,"\\u00fc"]}')

    def test_a_character_of_two_units_and_a_backslash_are_sent(self):
        self.assertEqual(result.to_json("\U0001f600"), '"\\ud83d\\ude00"')
        self.assertEqual(result.to_json("\\ud83d"), '"\\\\ud83d"')

    def test_what_json_does_not_hold_is_refused_with_the_reason(self):
        loop = []
        loop.append(loop)
        half = {"name": ["\ud83d"]}
        for value in (float("nan"), {1, 2}, loop, object(), "x" * result.MAX_RESULT, half):
            with self.assertRaises(result.ResultError):
                result.to_json(value)


if __name__ == "__main__":
    unittest.main()
