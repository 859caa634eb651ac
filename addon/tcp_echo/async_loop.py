# SPDX-License-Identifier: GPL-3.0-or-later
"""The main thread's asyncio loop. A launcher, a `while` loop or Blender's window drives it.

Runs execute between two turns of the loop and not inside a turn, so that a script may call
`asyncio.run()` and await at its top level.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol

import bpy
from bpy.app.handlers import persistent

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpy.stub_internal.rna_enums import OperatorReturnItems

# How often a Blender with a window looks for runs, in seconds.
_TICK = 0.01
# How often Blender checks that the modal operator is running, in seconds: loading a file ends
# every modal operator.
_WATCH = 0.25


class Driver(Protocol):
    """Executes runs on the main thread."""

    @property
    def busy(self) -> bool:
        """Whether a run is being executed."""

    @property
    def quitting(self) -> bool:
        """Whether Blender is to end."""

    @property
    def has_work(self) -> bool:
        """Whether a run waits, or Blender is to end."""

    def run_next(self, wait: bool, /) -> bool:
        """Execute the next run; returns false when no run was waiting."""

    def finish(self) -> None:
        """Stop serving."""


_loop: asyncio.AbstractEventLoop | None = None
_driver: Driver | None = None
# Whether a run has ended in a Blender with a window, and is not yet a step for Ctrl-Z.
_step_wanted = False


class ShutdownRequested(SystemExit):
    """Raised by `kick_async_loop` when Blender is to end; its exit code is 0."""

    def __init__(self) -> None:
        super().__init__(0)

    def __str__(self) -> str:
        return "Shutdown requested by client."


def event_loop() -> asyncio.AbstractEventLoop:
    """Return the main thread's loop, or a new loop when a script has closed the old one."""
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


def drop_tasks() -> None:
    """Give the main thread a new loop when a script has left something to do in the old loop."""
    global _loop
    loop: Any = event_loop()
    tasks: set[Any] = asyncio.all_tasks(loop)
    if not tasks and not getattr(loop, "_ready", ()) and not getattr(loop, "_scheduled", ()):
        return
    for task in tasks:
        task._log_destroy_pending = False
        with contextlib.suppress(Exception):
            task.get_coro().close()
    _loop = None
    loop.close()
    setup_asyncio_executor()


def set_driver(driver: Driver | None) -> None:
    """Set the driver that executes runs; None when nothing executes runs any more."""
    global _driver
    _driver = driver


def kick_async_loop(*_args: object) -> bool:
    """Execute one run at most, and turn the loop once.

    Returns true when no work is left: no server is running and no task is pending.
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
    """Execute runs until Blender is to end; blocks while no run waits."""
    while _driver is not None and not _driver.quitting:
        _driver.run_next(True)


def _turn() -> bool:
    """Turn the loop once; returns true when no task is pending."""
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

    # The newest operator drives the loop; an older operator ends at its next event.
    newest = object()
    last_kick = 0.0

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        return self.invoke(context, None)

    def invoke(
        self, context: bpy.types.Context, _event: bpy.types.Event | None
    ) -> set[OperatorReturnItems]:
        if context.window is None:
            return {"CANCELLED"}
        cls = type(self)
        self.ticket = cls.newest = object()
        cls.last_kick = time.monotonic()
        manager = _window_manager(context)
        self.timer = manager.event_timer_add(_TICK, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        cls = type(self)
        if self.ticket is cls.newest:
            _push_undo()  # before the event, which may be Ctrl-Z, and before the next run
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self.ticket is not cls.newest or _driver is None:
            _window_manager(context).event_timer_remove(self.timer)
            return {"FINISHED"}
        cls.last_kick = time.monotonic()
        _turn()
        waiting = _driver.has_work and not _driver.busy
        if waiting and not bpy.app.timers.is_registered(_run_from_timer):
            bpy.app.timers.register(_run_from_timer, first_interval=0.0, persistent=True)
        return {"PASS_THROUGH"}


def _run_from_timer() -> None:
    global _step_wanted
    # A timer executes the run and not the operator, because a script may load a file, and
    # that ends the operator.
    if _driver is None or _driver.busy:
        return
    if _driver.run_next(False):
        _step_wanted = True
    if _driver is not None and _driver.quitting:
        _driver.finish()
        bpy.ops.wm.quit_blender()


def _push_undo() -> None:
    """Make the changes of the last script one step for Ctrl-Z.

    The operator that drives the loop calls this, because its context has a window. A timer would
    have to override the context. With Python 3.11 and earlier, that crashes Blender now and then:
    an operator runs without Python's lock, and looks its window up in the dictionary of the
    override while another thread leaves the lock.
    """
    global _step_wanted
    if not _step_wanted:
        return
    _step_wanted = False
    with contextlib.suppress(RuntimeError):  # undo is off, or the script left no scene
        bpy.ops.ed.undo_push(message="Run Script")


def _watch_operator() -> float | None:
    if _driver is None:
        return None
    idle = time.monotonic() - AsyncLoopModalOperator.last_kick
    window = _first_window()
    if idle > 2 * _WATCH and window is not None:
        # Registered here, so the stubs do not know it.
        _in_window(bpy.ops.tcp_echo.async_loop, window)  # type: ignore[attr-defined]
    return _WATCH


@persistent
def _on_load_post(*_args: object) -> None:
    # Loading a file has ended the operator.
    if bpy.app.timers.is_registered(_watch_operator):
        AsyncLoopModalOperator.last_kick = 0.0
        bpy.app.timers.unregister(_watch_operator)
        start_modal()


def _first_window() -> bpy.types.Window | None:
    windows = _window_manager(bpy.context).windows
    return windows[0] if len(windows) else None


def _window_manager(context: bpy.types.Context) -> bpy.types.WindowManager:
    manager = context.window_manager
    assert manager is not None  # Blender always has one
    return manager


def _in_window(operator: Callable[..., object], window: bpy.types.Window, **options: Any) -> None:
    context = bpy.context
    if hasattr(context, "temp_override"):
        with context.temp_override(window=window):
            operator(**options)
    else:
        operator({"window": window, "screen": window.screen}, **options)


def start_modal() -> None:
    """Make Blender's window drive the loop, as soon as there is a window, across file loads too."""
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
