# SPDX-License-Identifier: GPL-3.0-or-later
"""The main thread's asyncio loop, and what drives it: a launcher, a `while`, or a window.

Runs execute between two turns of the loop and not inside one, so that a script may call
`asyncio.run()` and await at its top level.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time

import bpy
from bpy.app.handlers import persistent

# How often a Blender with a window looks for runs, in seconds.
_TICK = 0.01
# How often it makes sure that something looks: loading a file ends every modal operator.
_WATCH = 0.25

_loop: asyncio.AbstractEventLoop | None = None
_driver = None


class ShutdownRequested(SystemExit):
    """Raised by `kick_async_loop` when Blender is to end; its exit code is 0."""

    def __init__(self) -> None:
        super().__init__(0)

    def __str__(self) -> str:
        return "Shutdown requested by client."


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the main thread's loop, a new one if a script has closed it."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_loop)
    return _loop


def setup_asyncio_executor() -> None:
    """Make the main thread's loop ready and give it threads for blocking work."""
    loop = event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(max_workers=10))


def set_driver(driver) -> None:
    """Name what executes runs: `run_next(wait)`, `busy`, `quitting`, `finish()`; or None."""
    global _driver
    _driver = driver


def kick_async_loop(*_args) -> bool:
    """Do what waits for the main thread: one run at most, one turn of the loop.

    Returns true when no work is left, which is when nothing serves and no task is pending.
    Raises SystemExit, with code 0, when a client has asked Blender to end.
    """
    driver = _driver
    if driver is not None and not driver.busy:
        driver.run_next(False)
        if driver.quitting:
            driver.finish()
            raise ShutdownRequested
    return _turn() and _driver is None


def run_until_shutdown() -> None:
    """Execute runs as they come until Blender is to end, without ever looking in vain."""
    while _driver is not None and not _driver.quitting:
        _driver.run_next(True)


def _turn() -> bool:
    """Turn the loop once; true when it has nothing to do."""
    loop = event_loop()
    if loop.is_running():  # called from a task
        return False
    loop.stop()
    loop.run_forever()
    return not asyncio.all_tasks(loop)


class AsyncLoopModalOperator(bpy.types.Operator):
    """Drives the loop from Blender's window"""

    bl_idname = "tcp_echo.async_loop"
    bl_label = "Run Scripts from TCP Echo"
    bl_options = {"INTERNAL"}

    # The newest one drives; an older one that woke up again ends.
    newest = None
    last_kick = 0.0

    def execute(self, context):
        return self.invoke(context, None)

    def invoke(self, context, _event):
        if context.window is None:
            return {"CANCELLED"}
        cls = type(self)
        self.ticket = cls.newest = object()
        cls.last_kick = time.monotonic()
        self.timer = context.window_manager.event_timer_add(_TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        cls = type(self)
        if self.ticket is not cls.newest or _driver is None:
            context.window_manager.event_timer_remove(self.timer)
            return {"FINISHED"}
        cls.last_kick = time.monotonic()
        _turn()
        waiting = _driver.has_work and not _driver.busy
        if waiting and not bpy.app.timers.is_registered(_run_from_timer):
            bpy.app.timers.register(_run_from_timer, first_interval=0.0, persistent=True)
        return {"PASS_THROUGH"}


def _run_from_timer() -> None:
    # Not from within the operator: a script that loads a file would pull it away from
    # under its own feet.
    if _driver is None or _driver.busy:
        return
    if _driver.run_next(False):
        _push_undo()
    if _driver is not None and _driver.quitting:
        _driver.finish()
        bpy.ops.wm.quit_blender()


def _push_undo() -> None:
    """Make what a script did one step for Ctrl-Z."""
    windows = bpy.context.window_manager.windows
    if not len(windows):
        return
    with contextlib.suppress(RuntimeError):  # undo is off, or the script left no scene
        _in_window(bpy.ops.ed.undo_push, windows[0], message="Run Script")


def _watch_operator():
    if _driver is None:
        return None
    idle = time.monotonic() - AsyncLoopModalOperator.last_kick
    windows = bpy.context.window_manager.windows
    if idle > 2 * _WATCH and len(windows):
        _start_operator(windows[0])
    return _WATCH


@persistent
def _on_load_post(*_args) -> None:
    # The operator went with the file that was open.
    if bpy.app.timers.is_registered(_watch_operator):
        AsyncLoopModalOperator.last_kick = 0.0
        bpy.app.timers.unregister(_watch_operator)
        start_modal()


def _start_operator(window) -> None:
    _in_window(bpy.ops.tcp_echo.async_loop, window)


def _in_window(operator, window, **options) -> None:
    context = bpy.context
    if hasattr(context, "temp_override"):
        with context.temp_override(window=window):
            operator(**options)
    else:
        operator({"window": window, "screen": window.screen}, **options)


def start_modal() -> None:
    """Have Blender's window drive the loop, from when there is one and across file loads."""
    if not bpy.app.timers.is_registered(_watch_operator):
        bpy.app.timers.register(_watch_operator, first_interval=0.0, persistent=True)


def register() -> None:
    bpy.utils.register_class(AsyncLoopModalOperator)
    bpy.app.handlers.load_post.append(_on_load_post)


def unregister() -> None:
    if bpy.app.timers.is_registered(_watch_operator):
        bpy.app.timers.unregister(_watch_operator)
    if _on_load_post in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_on_load_post)
    bpy.utils.unregister_class(AsyncLoopModalOperator)
