# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP server: a thread of its own with its own asyncio loop.

Thus status, cancel and new runs get through while the main thread is busy with a script.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from . import installation
from .connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from .service import Service

HOST = "127.0.0.1"

# How long the thread may take to close its connections, in seconds.
_STOP_SECONDS = 2.0

# How many peers may be connected that have not shown the token. Each takes a descriptor, of which a
# script must have enough: the usual limit of a process is 1,024.
MAX_STRANGERS = 32

# For how long a stranger is left alone when there are too many, in seconds: a client of this user
# shows the token at once.
_STRANGER_SECONDS = 0.1


class PortInUse(OSError):
    """The server can't listen on the port."""


class Server:
    """Listens from `start` to `stop`."""

    def __init__(self, service: Service, port: int | None, parent: socket.socket | None) -> None:
        """Listen on a port; raises PortInUse.

        For port 0 the system chooses a port, and for None nobody but the parent can connect.
        `parent` is a socket that is connected with the program that has started this Blender.
        """
        self._service = service
        self._parent = parent
        self._listener = None if port is None else _listen(port)
        self.port: int = 0 if self._listener is None else self._listener.getsockname()[1]
        self.loop: asyncio.AbstractEventLoop
        if sys.platform == "win32" and installation.chosen_loop() != "posix":
            self.loop = asyncio.ProactorEventLoop()
        else:
            self.loop = asyncio.SelectorEventLoop()
        self._made_with = None if os.name == "nt" else self._identity()
        self._connections: set[Connection] = set()
        # The peers that have not shown the token, with the times of their coming, the oldest first.
        self._strangers: dict[Connection, float] = {}
        self._thread = threading.Thread(target=self._serve, name="tcp_echo", daemon=True)
        self._accepting: asyncio.Task[None] | None = None

    @property
    def loop_name(self) -> str:
        proactor = getattr(asyncio, "ProactorEventLoop", ())
        return "ProactorEventLoop" if isinstance(self.loop, proactor) else "SelectorEventLoop"

    @property
    def has_parent(self) -> bool:
        """Whether a socket is connected with the program that has started this Blender."""
        return self._parent is not None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if not self._thread.is_alive():
            return
        self.call(self._close)
        self._thread.join(_STOP_SECONDS)

    @property
    def is_open(self) -> bool:
        """Whether the server still has its descriptors, which a script may close."""
        return os.name == "nt" or self._identity() == self._made_with  # no descriptors on Windows

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the server's socket from a socket that a script has opened."""
        ours = self._parent or self._listener
        try:
            status = os.fstat(-1 if ours is None else ours.fileno())
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the I/O thread, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and so are its connections
            self.loop.call_soon_threadsafe(function, *args)

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._strangers.pop(connection, None)

    def trust(self, connection: Connection) -> None:
        """Note that a peer has shown the token."""
        self._strangers.pop(connection, None)

    def tell_unclean(self, reason: str) -> None:
        """Tell every session that this Blender should execute no other run, from any thread."""
        self.call(self._tell_unclean, reason)

    def _tell_unclean(self, reason: str) -> None:
        for peer in self._connections:
            peer.tell_unclean(reason)

    def shield_child(self) -> None:
        """Replace the parent's sockets by the null device, in a process that a script forked.

        The descriptors stay in use, so objects that close them later close nothing else.
        """
        null = os.open(os.devnull, os.O_RDWR)
        ours = [peer.descriptor for peer in self._connections]
        if self._listener is not None:
            ours.append(self._listener.fileno())
        for descriptor in ours:
            if descriptor >= 0:
                os.dup2(null, descriptor, inheritable=False)
        os.close(null)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            if self._parent is not None:
                self.loop.create_task(self._attach(self._parent, trusted=True))
            if self._listener is not None:
                self._accepting = self.loop.create_task(self._accept(self._listener))
            self.loop.run_forever()
            self.loop.run_until_complete(asyncio.sleep(0))
        except OSError:
            # A script has closed the descriptors of the loop. At its end the runner notices, and a
            # traceback of this thread would stand in the script's output.
            pass
        finally:
            with contextlib.suppress(OSError):
                self.loop.close()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _address = await self.loop.sock_accept(listener)
                sock.setblocking(False)
            except OSError:
                # Mostly there is no free descriptor; other connections will close theirs.
                await asyncio.sleep(0.1)
                continue
            # asyncio sets this only on a socket that was made with the protocol's number. It fails
            # for a peer that has gone already.
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._make_room()
            await self._attach(sock, trusted=False)

    async def _make_room(self) -> None:
        """Cut off the oldest stranger where there are too many."""
        while len(self._strangers) >= MAX_STRANGERS:
            oldest, came = next(iter(self._strangers.items()))
            rest = came + _STRANGER_SECONDS - self.loop.time()
            if rest <= 0:
                self.forget(oldest)
                oldest.cut_off()
            else:
                await asyncio.sleep(rest)

    async def _attach(self, sock: socket.socket, trusted: bool) -> None:
        connection = Connection(self._service, sock, self._service.next_number(), trusted)
        self._connections.add(connection)
        if not connection.trusted:
            self._strangers[connection] = self.loop.time()
        try:
            await self.loop.connect_accepted_socket(lambda: connection, sock)
        except OSError:
            self.forget(connection)
            sock.close()

    def _close(self) -> None:
        listener = self._listener
        if listener is not None and self._accepting is None:
            listener.close()
        elif listener is not None and self._accepting is not None:
            # Windows' select() fails for a socket that is closed while the loop still waits for it.
            self._accepting.add_done_callback(lambda _task: listener.close())
            self._accepting.cancel()
        for connection in list(self._connections):
            connection.finish()
        # In one more turn, the loop sends what was written.
        self.loop.call_soon(self.loop.call_soon, self.loop.stop)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # On Windows, SO_REUSEADDR would let another program take over the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(512)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortInUse(
            getattr(error, "errno", None), f"port {port} on {HOST} can't be had: {reason}"
        ) from None
    return listener
