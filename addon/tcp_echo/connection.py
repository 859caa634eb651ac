# SPDX-License-Identifier: GPL-3.0-or-later
"""One peer: its socket, its dialogue, and the time limit for showing the token."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import TYPE_CHECKING, cast

from .bare_message import BareMessage
from .json_scanner import WHITE_SPACE
from .session import Session

if TYPE_CHECKING:
    from .service import Service

# How long a peer may take to show the token, in seconds.
UNKNOWN_SECONDS = 10.0

# How long the socket stays open after an answer, for the peer to close first, in seconds.
_LINGER_SECONDS = 2.0
# How long a peer may take to read its last answer, in seconds.
_LAST_SECONDS = 60.0

# How much may wait for a peer that does not read, in bytes. A peer that lets more wait is cut off:
# it would take the memory that scripts need.
MAX_UNREAD = 32 << 20


class Connection(asyncio.Protocol):
    """A connection with one peer.

    `send`, `push` and `backed_up` are for any thread, everything else is for the I/O thread.
    """

    def __init__(
        self, service: Service, sock: socket.socket, number: int, trusted: bool = False
    ) -> None:
        """`trusted` tells that the peer need not show the token."""
        self.service = service
        self.number = number
        self.trusted = trusted or not service.token
        self._socket = sock
        self._transport: asyncio.Transport | None = None
        self._dialogue: BareMessage | Session | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._ending = False
        self._peer_is_done = False
        self._lock = threading.Lock()
        # Data that the socket did not accept at once, and all data after it.
        self._backlog: list[bytes] = []
        # Data that is sent with the next data, or by `push`.
        self._held = b""
        # How many bytes of data wait, those of the transport included.
        self._unread = 0
        self._buffering = False

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        if not self.trusted:
            self._deadline = self.service.server.loop.call_later(UNKNOWN_SECONDS, self._time_is_up)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        if self._dialogue is None:
            kind = BareMessage if data[0] == 0x7B or data[:1] in WHITE_SPACE else Session
            self._dialogue = kind(self)
        self._dialogue.data_received(data)

    def eof_received(self) -> bool:
        self._peer_is_done = True
        if self._dialogue is not None and not self._ending:
            # A peer may close its writing side and wait for the answer.
            return self._dialogue.eof_received()
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self.trust()
        self._ending = True
        with self._lock:
            self._backlog.clear()
            self._unread = 0
            self._buffering = True  # for ever: nothing is sent directly any more
        self.service.server.forget(self)
        if self._dialogue is not None:
            self._dialogue.connection_lost()

    def resume_writing(self) -> None:
        with self._lock:
            if not self._backlog:
                self._buffering = False
                self._unread = 0
                return
        self._flush_backlog()

    def pause_writing(self) -> None:
        pass  # `_buffering` is set already

    # For the dialogue.

    def trust(self) -> None:
        """Remove the deadline, because the peer has shown the token."""
        self.service.server.trust(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def cut_off(self) -> None:
        """Close at once, without an answer."""
        self._ending = True
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Close the connection when everything is sent.

        The writing side is closed first: when a socket with unread data is closed, the
        system sends an error to the peer, and the error may overtake the answer.
        """
        if self._ending or self._transport is None:
            return
        self._ending = True
        self._flush_backlog()
        linger = self._transport.can_write_eof() and not self._peer_is_done
        if linger and not self._transport.is_closing():
            self._transport.write_eof()
            self.service.server.loop.call_later(_LINGER_SECONDS, self._transport.close)
        else:
            self._transport.close()
        # `close` waits until everything was sent, and a peer that does not read never lets that be.
        self.service.server.loop.call_later(_LAST_SECONDS, self._transport.abort)

    def tell_unclean(self, reason: str) -> None:
        if isinstance(self._dialogue, Session):
            self._dialogue.tell_unclean(reason)

    def _time_is_up(self) -> None:
        if self._dialogue is None or not self._dialogue.knows_token():
            self.cut_off()

    # Sending.

    def send(self, data: bytes, more: bool = False) -> None:
        """Send data; data that a slow peer does not read yet is kept until it does.

        The data goes straight to the socket when no other data waits: a run ends on the
        main thread, and waking the I/O thread to send would double the time of a short run.
        With `more`, the data may be held back until more data or `push` follows. A peer for which
        too much waits is cut off.
        """
        with self._lock:
            if more:
                self._held += data
                return
            if self._held:
                data = self._held + data
                self._held = b""
            if not self._buffering and os.name != "nt":
                try:
                    sent = self._socket.send(data)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                except OSError:
                    return  # asyncio notices the error when it reads
                if sent == len(data):
                    return
                data = data[sent:]
            wake = not self._backlog
            too_much = self._unread > MAX_UNREAD
            if not too_much:
                self._backlog.append(data)
                self._unread += len(data)
            self._buffering = True
        if too_much:
            self.service.server.call(self.cut_off)
        elif wake:
            self.service.server.call(self._flush_backlog)

    def push(self) -> None:
        """Send the data that is held back."""
        if self._held:
            self.send(b"")

    @property
    def backed_up(self) -> bool:
        """Whether data waits because the peer reads too slowly."""
        return self._buffering

    def _flush_backlog(self) -> None:
        with self._lock:
            waiting = b"".join(self._backlog)
            self._backlog.clear()
            if not waiting or self._transport is None or self._transport.is_closing():
                return
            self._transport.write(waiting)
            self._unread = self._transport.get_write_buffer_size()
            if self._unread == 0:
                self._buffering = False
