# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the source module: values that are shown, and input that is not complete."""

from __future__ import annotations

import contextlib
import io
import unittest

import pure  # noqa: F401  # makes tcp_echo importable without Blender
from tcp_echo import source


def _shown(code: str) -> str:
    """Return what code prints when it runs with echo."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source.compiled(code.encode(), "<console>", echo=True), {})
    return out.getvalue()


class Echo(unittest.TestCase):
    def test_the_value_of_the_last_expression_is_shown(self) -> None:
        for code, shown in {
            "1 + 1": "2\n",
            "x = 3\nx * 'ab'\n": "'ababab'\n",
            "x = 3": "",
            "None": "",
            "": "",
            "# nothing": "",
            "1\nx = 2": "",
            "if True:\n    print(7)": "7\n",
        }.items():
            self.assertEqual(_shown(code), shown, code)

    def test_a_beginning_is_told_from_a_mistake(self) -> None:
        for code in ("for i in (1,", "def f():", "x = (1,\n2", '"""abc'):
            with self.assertRaises(source.IncompleteInput, msg=code):
                source.compiled(code.encode(), "<console>", echo=True)
        for code in ("1 +* 2", "x = = 1", "\x00"):
            with self.assertRaises((SyntaxError, ValueError), msg=code) as caught:
                source.compiled(code.encode(), "<console>", echo=True)
            self.assertNotIsInstance(caught.exception, source.IncompleteInput, code)

    def test_without_echo_nothing_is_shown(self) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(source.compiled(b"1 + 1", "<console>"), {})
        self.assertEqual(out.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
