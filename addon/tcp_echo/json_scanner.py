# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the end of a bare JSON object in a stream, and its token before the end has come.

Whether the object is valid JSON is for `json.loads` to say. The scanner only has to know
where it ends, which takes quotes, back-slashes and brackets. They are ASCII, and no byte of
a longer UTF-8 sequence is, so it works on bytes and never splits a character.
"""

from __future__ import annotations

import json
import re

WHITE_SPACE = b" \t\r\n"

# `json.loads` recurses: deeper than this it could not read the object anyway.
MAX_DEPTH = 900

# A chunk bounds what the regular expressions below keep for back-tracking.
_CHUNK = 64 * 1024

_STRING_REST = re.compile(rb'[^"\\]*(?:\\[\s\S][^"\\]*)*')
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\[\s\S][^"\\]*)*("?)|[{\[]|[}\]]')


class ScanError(Exception):
    """The stream does not begin with a JSON object."""


class ObjectScanner:
    """Tells where the first JSON object of a stream ends; each byte is looked at once."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._seen = 0

    def feed(self, data: bytes) -> int | None:
        """Take the next bytes of the stream.

        Returns the object's length from the start of the stream, white space before it
        included, once its last bracket has come, else None. Raises ScanError when what
        comes is no object.
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
            assert rest is not None  # it may be empty
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
        """Note how the chunk leaves the string whose text was read up to a position."""
        if position < len(chunk) and chunk[position] == 0x22:  # "
            self._in_string = False
            return True
        self._in_string = True
        self._escaped = position < len(chunk)  # a back-slash whose partner is to come
        return False


def token_in_prefix(prefix: bytes) -> str | None:
    """Return the text under the key "token" of an object whose end has not come.

    Only a key of the object itself counts, and only when its value is there entirely.
    """
    depth = 0
    before: re.Match[bytes] | None = None  # the string before this one, when both are at depth 1
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
