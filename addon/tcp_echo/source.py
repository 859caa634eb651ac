# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles the source of a script, and says in plain words why its bytes are no text."""

from __future__ import annotations

import ast
import codecs
import codeop
import importlib.util
import io
import linecache
import re
import types
import warnings

# Kept here because a script may delete it from `builtins`.
_compile = compile

_TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_REMEDY = "save the file as UTF-8"


class IncompleteInput(SyntaxError):
    """The source is the beginning of a statement; more lines may make it whole."""


def compiled(code: bytes, filename: str, echo: bool = False) -> types.CodeType:
    """Compile a source, and make its lines known to tracebacks.

    With `echo` the value of the last expression is shown by `sys.displayhook`, as the interactive
    interpreter does, and a source that is only a beginning raises IncompleteInput.
    """
    # Without a time, tracebacks show the source that ran even when the file has changed since.
    linecache.cache[filename] = (len(code), None, _lines(code), filename)
    source: bytes | ast.Module = code
    if echo:
        source = _echoing(code, filename) or code
    try:
        return _compile(source, filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # a null character is a ValueError before Python 3.12
        unreadable = why_no_text(code, filename)
        if unreadable is not None:
            raise unreadable from None
        # The script is compiled as plain Python first, so that it gets plain Python's errors.
        try:
            result: types.CodeType | None = _compile(
                source, filename, "exec", flags=_TOP_LEVEL_AWAIT, dont_inherit=True
            )
        except (SyntaxError, ValueError):
            result = None
        if result is None:
            raise
        return result


def _echoing(code: bytes, filename: str) -> ast.Module | None:
    """Return the tree of a source that shows the value of its last expression.

    Returns None for a source in which there is nothing to show, or which is no Python.
    """
    try:
        tree: ast.Module = _compile(
            code, filename, "exec", flags=ast.PyCF_ONLY_AST | _TOP_LEVEL_AWAIT, dont_inherit=True
        )
    except (SyntaxError, ValueError):
        if _is_beginning(code, filename):
            raise IncompleteInput("the input is not complete", (filename, 1, None, None)) from None
        return None
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return None
    show = ast.parse("__import__('sys').displayhook(0)", filename).body[0]
    assert isinstance(show, ast.Expr) and isinstance(show.value, ast.Call)
    for node in ast.walk(show):
        ast.copy_location(node, last.value)
    show.value.args = [last.value]
    tree.body[-1] = show
    return tree


def _is_beginning(code: bytes, filename: str) -> bool:
    """Return whether more lines may make a source whole that does not compile."""
    try:
        text = code.decode("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return codeop.compile_command(text, filename, "exec") is None
    except (SyntaxError, ValueError, OverflowError):
        return False


def why_no_text(code: bytes, filename: str) -> SyntaxError | None:
    """Return an error that names the line and the remedy when the bytes can't be decoded."""
    wide = _wide_encoding(code)
    if wide:
        return _error(f"the source is {wide}, which Python does not read; {_REMEDY}", filename, 1)
    start = len(codecs.BOM_UTF8) if code.startswith(codecs.BOM_UTF8) else 0
    encoding, named_in = "utf-8", 0
    for number, line in enumerate(code[start:].splitlines()[:2], 1):
        found = _CODING.match(line)
        if found:
            encoding, named_in = found[1].decode("ascii", "replace"), number
            break
        if line.split(b"#")[0].strip(b" \t\f"):
            break  # Python looks at the second line only below an empty line or a comment
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        text = f"the encoding {encoding!r} that this line names is unknown; {_REMEDY} and remove it"
        return _error(text, filename, named_in, code)
    if start and codec.name != "utf-8":
        text = f"the source begins as UTF-8, but this line names {encoding!r}; remove it"
        return _error(text, filename, named_in, code)
    try:
        codec.decode(code[start:])
    except UnicodeDecodeError as error:
        at = start + error.start
        text = f"the byte 0x{code[at]:02x} in this line is not {codec.name}; {_REMEDY}"
        if not named_in:
            text += " or name its encoding in the first line, as in # coding: latin-1"
        return _error(text, filename, len((code[:at] + b"x").splitlines()), code)
    except UnicodeError as error:  # of a codec for something else, such as idna
        return _error(f"the source can't be decoded: {error}; {_REMEDY}", filename, named_in, code)
    return None


def _wide_encoding(code: bytes) -> str:
    """Return the name of the encoding when characters have two or four bytes, or ""."""
    if code.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if code.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    # Without a mark at its beginning, English text has a null in every other byte.
    begin = code[:256]
    for offset in (0, 1):
        if len(begin) > 3 and begin[offset::2].count(0) > len(begin) // 4:
            return "UTF-16"
    return ""


def _error(text: str, filename: str, line: int, code: bytes = b"") -> SyntaxError:
    lines = code.splitlines()
    shown = lines[line - 1].decode("utf-8", "replace") if 0 < line <= len(lines) else None
    return SyntaxError(text, (filename, line, None, shown))


def _lines(code: bytes) -> list[str]:
    """Return the lines of a source as `linecache` would have read them from its file."""
    try:
        if b"coding" in code[:400]:
            text = importlib.util.decode_source(code)
        else:
            # The codec utf-8-sig would have to be imported, which takes half a millisecond.
            start = len(codecs.BOM_UTF8) if code.startswith(codecs.BOM_UTF8) else 0
            text = code[start:].decode("utf-8")
    except (SyntaxError, UnicodeDecodeError):
        return []  # compile() reports what is wrong with the source
    return io.StringIO(text, newline=None).readlines()
