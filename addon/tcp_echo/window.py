# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves scripts from a Blender with a window, when its user turns that on in the preferences.

This file does not postpone annotations, because some Blenders then do not see properties.
"""

import atexit
import contextlib
import json
import os
import secrets
import sys
import time
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

import_name = __package__

# How long after the start of Blender the server starts, in seconds: then there is a window.
_START_DELAY = 0.5


def sessions_folder() -> str:
    """Return the folder of the session files of Blenders with a window.

    It lies in the folder for Blendtray's data, which is found here as Blendtray finds it.
    """
    home = os.environ.get("BLENDTRAY_HOME")
    if home:
        return os.path.join(home, "windows")
    if sys.platform == "win32":
        data = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        data = os.path.expanduser("~/Library/Application Support")
    else:
        data = os.environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(data):
            data = os.path.expanduser("~/.local/share")
    return os.path.join(data, "blendtray", "windows")


def _start_ticks() -> int:
    """Return when Linux started this process, in its own unit; 0 elsewhere.

    By it a client tells this process from a later process with the same id.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


class SessionFile:
    """The file that tells how to reach this Blender; only this user's programs can read it."""

    def __init__(self) -> None:
        self._path = ""

    def write(self, port: int, token: str) -> None:
        folder = sessions_folder()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(folder, 0o700)
        self._path = os.path.join(folder, f"{os.getpid()}.json")
        fresh = f"{self._path}.{secrets.token_hex(4)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(
                {
                    "pid": os.getpid(),
                    "port": port,
                    "token": token,
                    "blender": bpy.app.version_string,
                    "program": bpy.app.binary_path,
                    "started": time.time(),
                    "ticks": _start_ticks(),
                },
                file,
            )
        os.replace(fresh, self._path)

    def remove(self) -> None:
        path, self._path = self._path, ""
        if path:
            with contextlib.suppress(OSError):  # another program has removed the file
                os.remove(path)


_session = SessionFile()


def start() -> int:
    """Start to serve and return the port; only this user's programs can read the new token."""
    import importlib

    package = importlib.import_module(import_name)
    token = secrets.token_urlsafe(32)
    port: int = package.start_server_from_script(port=_preferences_port(), token=token)
    if not package.is_serving_with(token):
        raise OSError("another script or add-on has started the server already")
    _session.write(port, token)
    return port


def stop() -> None:
    """Stop serving when the current run, which may have asked for this, has ended."""
    _session.remove()
    if not bpy.app.timers.is_registered(_clean_up):
        bpy.app.timers.register(_clean_up, first_interval=0.0, persistent=True)


def _clean_up() -> None:
    import importlib

    if not serving():  # the server may have been started again
        importlib.import_module(import_name).cleanup_server()


def _preferences() -> "TcpEchoPreferences | None":
    preferences = bpy.context.preferences
    addon = preferences.addons.get(import_name) if preferences is not None else None
    own = addon.preferences if addon is not None else None
    return own if isinstance(own, TcpEchoPreferences) else None


def _preferences_port() -> int:
    preferences = _preferences()
    return preferences.port if preferences is not None else 0


def serving() -> bool:
    return bool(_session._path)


class StartServerOperator(bpy.types.Operator):
    """Run scripts that this user's programs send, until Blender ends or serving is stopped"""

    bl_idname = "tcp_echo.start_server"
    bl_label = "Start Serving Scripts"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return not serving()

    def execute(self, _context: bpy.types.Context) -> "set[OperatorReturnItems]":
        try:
            port = start()
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Serving scripts on 127.0.0.1:{port}")
        return {"FINISHED"}


class StopServerOperator(bpy.types.Operator):
    """Accept no more scripts; the script that is running goes on"""

    bl_idname = "tcp_echo.stop_server"
    bl_label = "Stop Serving Scripts"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return serving()

    def execute(self, _context: bpy.types.Context) -> "set[OperatorReturnItems]":
        stop()
        return {"FINISHED"}


class TcpEchoPreferences(bpy.types.AddonPreferences):
    bl_idname = import_name

    # Blender takes these calls for annotations; a type checker does not.
    serve_at_start: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Serve When Blender Starts",
        description="When this is off, serving must be started here each time",
        default=False,
    )
    port: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Port",
        description="On 127.0.0.1; 0 lets the system choose",
        default=0,
        min=0,
        max=65535,
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.label(text="Programs of this user may send scripts, which run in this Blender.")
        row = layout.row()
        row.operator(StartServerOperator.bl_idname)
        row.operator(StopServerOperator.bl_idname)
        layout.prop(self, "serve_at_start")
        layout.prop(self, "port")


_CLASSES = (StartServerOperator, StopServerOperator, TcpEchoPreferences)


def _start_if_wanted() -> None:
    preferences = _preferences()
    if preferences is not None and preferences.serve_at_start and not serving():
        try:
            start()
        except (OSError, ValueError) as error:
            print(f"tcp_echo: {error}", file=sys.stderr, flush=True)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.timers.register(_start_if_wanted, first_interval=_START_DELAY, persistent=True)
    atexit.register(_session.remove)


def unregister() -> None:
    atexit.unregister(_session.remove)
    _session.remove()
    for timer in (_start_if_wanted, _clean_up):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
