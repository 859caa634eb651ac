# SPDX-License-Identifier: GPL-3.0-or-later
"""Receives scripts over TCP and runs them on Blender's main thread, with or without a window.

For scripts: `progress`, `add_output`, `RunCancelled`.
For programs that start the server: `start_server_from_script`, `cleanup_server`,
`async_loop.kick_async_loop`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import bpy

from . import async_loop, bare_message, outputs, service, stdio
from .interrupt import RunCancelled

if TYPE_CHECKING:
    import socket

__all__ = (
    "RunCancelled",
    "add_output",
    "async_loop",
    "cleanup_server",
    "process_message",
    "progress",
    "register",
    "start_server_from_script",
    "unregister",
)

bl_info = {
    "name": "TCP Echo",
    "author": "The Blendtray authors",
    "version": (0, 1, 0),
    "blender": (2, 93, 0),
    "location": "N/A",
    "description": "Runs Python that comes over a local TCP port, also in background mode",
    "category": "Development",
}

# Read here, because Blender deletes bl_info of an add-on that is installed as an extension.
_VERSION = ".".join(map(str, bl_info["version"]))

DEFAULT_PORT = 23333

_service: service.Service | None = None


def start_server_from_script(
    port: int | None = None,
    token: str | None = None,
    stream: stdio.Stream | None = None,
    parent: socket.socket | None = None,
    listens: bool = True,
) -> int:
    """Start the server and return its port, 0 where it does not listen.

    `parent` is a socket that is connected with the program that has started this Blender; only
    with it, `listens` may be false. Without `port`, the variable BLENDER_HTTP_ECHO_PORT has the
    port; its default is 23333.
    Without `token`, the file that the variable BLENDTRAY_TOKEN_FILE names has the token;
    when the variable is not set, the server demands no token. Raises OSError when the
    server can't listen on the port.

    A Blender with a window then serves by itself. In a Blender without a window, call
    `async_loop.kick_async_loop()` in a loop.
    """
    global _service
    if _service is not None:
        return _service.server.port
    register()
    async_loop.setup_asyncio_executor()
    made = service.Service(
        _VERSION,
        _token_from_file() if token is None else token,
        stdio.Stream() if stream is None else stream,
        (_port_from_environment() if port is None else port) if listens else None,
        parent,
    )
    made.start()
    _service = made
    async_loop.set_driver(_Driver(made))
    if not bpy.app.background:
        async_loop.start_modal()
    return made.server.port


def is_serving_with(token: str) -> bool:
    """Return whether the running server demands this token."""
    return _service is not None and _service.token == token


def cleanup_server() -> None:
    """Stop the server; does nothing when there is none."""
    global _service
    stopping, _service = _service, None
    async_loop.set_driver(None)
    if stopping is not None:
        stopping.stop()


def process_message(data: dict[str, Any]) -> dict[str, Any]:
    """Act on a bare message as the server does, and return the answer."""
    if _service is None:
        return {**bare_message.refusal("no server runs"), "source": "tcp://127.0.0.1:0"}
    answer = bare_message.respond(_service, data, bare_message.Unattended())
    return bare_message.with_source(_service, answer)


def progress(fraction: float, text: str = "") -> None:
    """Report the progress of the running script, from 0 to 1."""
    if _service is not None:
        _service.progress(min(max(float(fraction), 0.0), 1.0), str(text))


def add_output(path: str | os.PathLike[str]) -> None:
    """Report a file that the running script has made."""
    outputs.collector.add(bpy.path.abspath(os.fspath(path)))


def request_quit() -> None:
    """Ask Blender to end; may be called on any thread."""
    if _service is not None:
        _service.request_quit()


def terminate() -> bool:
    """End Blender from a signal handler; returns false when there is no server."""
    if _service is None:
        return False
    _service.terminate()
    return True


class _Driver:
    """The service as the main thread's loop uses it."""

    def __init__(self, driven: service.Service) -> None:
        self._service = driven
        self.run_next = driven.run_next

    @property
    def busy(self) -> bool:
        return self._service.busy

    @property
    def quitting(self) -> bool:
        return self._service.quitting

    @property
    def has_work(self) -> bool:
        return self._service.quitting or len(self._service.queue) > 0

    def finish(self) -> None:
        cleanup_server()


def _port_from_environment() -> int:
    text = os.environ.get("BLENDER_HTTP_ECHO_PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise ValueError(f"BLENDER_HTTP_ECHO_PORT is {text!r}; it must be 0 to 65535")
    return port


def _token_from_file() -> str:
    path = os.environ.get("BLENDTRAY_TOKEN_FILE", "")
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except OSError as error:
        raise ValueError(f"the token file {path} can't be read: {error.strerror}") from None
    if not token:
        raise ValueError(f"the token file {path} is empty")
    return token


def _is_serving(_scene: bpy.types.Scene) -> bool:
    return _service is not None


def _set_serving(_scene: bpy.types.Scene, _value: bool) -> None:
    # A program that sets the property neither starts nor stops the server.
    pass


_registered = False


def register() -> None:
    global _registered
    if _registered:
        return
    async_loop.register()
    outputs.register()
    # The stubs do not know properties that add-ons add, nor what BoolProperty returns.
    bpy.types.Scene.tcp_echo_server_running = (  # type: ignore[attr-defined]
        bpy.props.BoolProperty(  # type: ignore[func-returns-value]
            name="TCP Echo Server Running",
            get=_is_serving,
            set=_set_serving,
            options={"SKIP_SAVE"},
        )
    )
    if not bpy.app.background:
        from . import window

        window.register()
    _registered = True


def unregister() -> None:
    global _registered
    cleanup_server()
    if not _registered:
        return
    if not bpy.app.background:
        from . import window

        window.unregister()
    del bpy.types.Scene.tcp_echo_server_running  # type: ignore[attr-defined]  # as above
    outputs.unregister()
    async_loop.unregister()
    _registered = False
