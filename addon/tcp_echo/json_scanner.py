# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the end of a bare JSON object in a stream, and its token before the end has come.

`json.loads` decides whether the object is valid JSON. The scanner only finds its end, and for
that it reads quotes, back-slashes and brackets. These are ASCII, and no byte of a longer UTF-8
sequence is ASCII, so the scanner can work on bytes.
"""

from __future__ import annotations

import json
import re

WHITE_SPACE = b" \t\r\n"

# `json.loads` recurses, and could not read an object that is nested more deeply.
MAX_DEPTH = 900

# The stream is scanned in chunks, because the regular expressions below need memory for
# back-tracking.
_CHUNK = 64 * 1024

_STRING_REST = re.compile(rb'[^"\\]*(?:\\[\s\S][^"\\]*)*')
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\[\s\S][^"\\]*)*("?)|[{\[]|[}\]]')


class ScanError(Exception):
    """The stream does not begin with a JSON object."""


class ObjectScanner:
    """Finds the end of the first JSON object of a stream; scans each byte once."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._seen = 0

    def feed(self, data: bytes) -> int | None:
        """Scan the next bytes of the stream.

        Returns None until the last bracket of the object has come, then the length of the
        object with the white space before it. Raises ScanError when the stream does not
        begin with an object.
        """
        for start in range(0, len(data), _CHUNK):
            end = self._feed_chunk(data[start : start + _CHUNK])
            if end is not None:
                return self._seen + end
            self._seen += len(data[start : start + _CHUNK])
        return None

    def _feed_chunk(self, chunk: bytes) -> int | None:
        position = 0
        if self._depth == 0:
            position = len(chunk) - len(chunk.lstrip(WHITE_SPACE))
            if position == len(chunk):
                return None
            if chunk[position] != 0x7B:  # {
                raise ScanError("a bare message is one JSON object")
        if self._escaped:
            self._escaped = False
            position = 1
        if self._in_string:
            rest = _STRING_REST.match(chunk, position)
            assert rest is not None  # the pattern also matches an empty text
            position = rest.end()
            if not self._string_closed(chunk, position):
                return None
            position += 1
        for found in _STRING_OR_BRACKET.finditer(chunk, position):
            first = chunk[found.start()]
            if first == 0x22:  # "
                if not found.group(1):
                    self._in_string = True
                    self._string_closed(chunk, found.end())
                    return None
            elif first in b"{[":
                self._depth += 1
                if self._depth > MAX_DEPTH:
                    raise ScanError(f"the message nests more than {MAX_DEPTH} levels deep")
            else:
                self._depth -= 1
                if self._depth == 0:
                    return found.end()
        return None

    def _string_closed(self, chunk: bytes, position: int) -> bool:
        """Return whether a string ends at a position; otherwise record that it goes on."""
        if position < len(chunk) and chunk[position] == 0x22:  # "
            self._in_string = False
            return True
        self._in_string = True
        self._escaped = position < len(chunk)  # by a back-slash at the end of the chunk
        return False


def token_in_prefix(prefix: bytes) -> str | None:
    """Return the text of the key "token" of an object whose end has not come, or None.

    The key must be the object's own, not a nested object's, and the text must be complete.
    """
    depth = 0
    before: re.Match[bytes] | None = None  # the previous string, when it is at depth 1
    for found in _STRING_OR_BRACKET.finditer(prefix):
        first = prefix[found.start()]
        if first != 0x22:  # "
            depth += 1 if first in b"{[" else -1
            before = None
            continue
        if not found.group(1):
            return None
        if depth != 1:
            continue
        if (
            before is not None
            and prefix[before.end() : found.start()].strip(WHITE_SPACE) == b":"
            and _text(before) == "token"
        ):
            return _text(found)
        before = found
    return None


def _text(found: re.Match[bytes]) -> str | None:
    try:
        text: str = json.loads(found.group())
    except ValueError:
        return None
    return text
