# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on the wire: a 4-byte big-endian length, then that many bytes of JSON."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The largest payload of a frame and the largest bare message, in bytes.
MAX_PAYLOAD = 64 * 1024 * 1024

_HEADER = struct.Struct(">I")


class FrameError(Exception):
    """The peer sends something else than frames, or a frame that is too long."""


class FrameReader:
    """Cuts a stream of bytes into the payloads of frames.

    Every byte is copied a fixed number of times, however the stream is cut into pieces.
    """

    def __init__(self, limit: int = MAX_PAYLOAD) -> None:
        # A longer frame is refused as soon as its header has come.
        self.limit = limit
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add the next bytes of the stream."""
        self._buffer += data

    def frames(self) -> Iterator[bytes]:
        """Yield the payload of each frame that is complete.

        Raises FrameError at a header that announces more than the limit.
        """
        buffer = self._buffer
        start = 0
        try:
            while len(buffer) - start >= _HEADER.size:
                (length,) = _HEADER.unpack_from(buffer, start)
                if length > self.limit:
                    raise FrameError(f"a frame of {length} bytes; the limit is {self.limit}")
                end = start + _HEADER.size + length
                if len(buffer) < end:
                    return
                with memoryview(buffer) as view:
                    payload = bytes(view[start + _HEADER.size : end])
                start = end
                yield payload
        finally:
            # The buffer is cut once for all frames: each cut moves the rest of the buffer.
            if start:
                del buffer[:start]


def pack(payload: bytes) -> bytes:
    """Return the frame that carries a payload."""
    return _HEADER.pack(len(payload)) + payload
