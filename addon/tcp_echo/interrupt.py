# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops the script on the main thread from another thread.

An exception is raised in the script, between `arm` and `disarm` and at no other time. While
the script is in C code, the exception waits until that code returns to Python. A signal wakes
a blocking system call (on Windows, `waits` ends it), and SIGINT, which Blender handles itself,
ends a render.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from . import waits
from .stdio import say

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from .runs import Run

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)

# On POSIX, a signal that is ignored by default, so a late signal does no harm. On Windows no
# signal wakes a system call, but Python's substitute for signals wakes time.sleep().
if sys.platform == "win32":
    _WAKE_SIGNAL = signal.SIGBREAK
else:
    _WAKE_SIGNAL = signal.SIGURG

# The file of the Python function through which scripts call operators, before Blender 5.3.
_OPERATOR_CALLS = getattr(sys.modules.get("bpy.ops"), "__file__", None)

# What Blender makes of the end of a run can't be kept out of the output: Blender prints it in C.
_PRINTED = (
    "the run was cancelled while Blender executed an operator, "
    "so Blender prints errors that are none of the script's: RunCancelled, and what comes of it"
)


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise an exception in a thread as soon as the thread executes Python."""
    _set_async_exc(thread, exception)


class RunCancelled(KeyboardInterrupt):
    """Raised in a script that was asked to stop."""

    # Whether the exception was raised: a script may catch it and end as if nothing had
    # happened.
    raised = False
    # Whether the exception was raised below an operator, in a handler or a render engine:
    # Blender then prints it and goes on, so it must be raised again.
    lost = False
    # Whether Blender has printed the exception as an error of its own code since the run began.
    printed = False
    reason = "cancelled"

    def __init__(self, *args: object) -> None:
        RunCancelled.raised = True
        frame: FrameType | None = sys._getframe(1)
        if sys.version_info >= (3, 12):
            # Since 3.12 the exception is made where it is raised; before 3.12, where it is
            # caught or printed.
            frame = frame.f_back
        # Raised in the function that has called the operator, the exception goes on to the script.
        caller = frame if sys.version_info >= (3, 12) else None
        while frame is not None:
            calls = frame.f_code.co_filename == _OPERATOR_CALLS
            if calls or _is_called_by_blender(frame):
                RunCancelled.lost = True
                RunCancelled.printed |= not calls or frame is not caller
            frame = frame.f_back
        super().__init__(*(args or (RunCancelled.reason,)))


def _is_called_by_blender(frame: FrameType) -> bool:
    """Return whether Blender has called the frame: as a handler, an operator or a render engine.

    Since 5.3 operators are built in, and have no frame.
    """
    bpy: Any = sys.modules.get("bpy")
    if bpy is None or bpy.app.version < (5, 3, 0):
        return False
    code = frame.f_code
    for handlers in vars(type(bpy.app.handlers)):
        called = getattr(bpy.app.handlers, handlers, None)
        if isinstance(called, list) and any(getattr(h, "__code__", None) is code for h in called):
            return True
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    if not isinstance(owner, (bpy.types.Operator, bpy.types.RenderEngine)):
        return False
    return getattr(getattr(type(owner), code.co_name, None), "__code__", None) is code


class Interrupt:
    """Stops the running script. Make it on the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._main_thread = threading.get_ident()
        self._armed: Run | None = None
        # The asyncio task that is the run, when it awaits at its top level.
        self.task: asyncio.Task[Any] | None = None
        self._requested = False
        # A second SIGINT in the life of the process would kill it.
        self.sigint_sent = False

    def install(self) -> None:
        """Set the signal handler with which blocking system calls are woken."""
        signal.signal(_WAKE_SIGNAL, _on_wake)

    # On the main thread.

    def arm(self, run: Run) -> None:
        """Let the run be interrupted; raises RunCancelled if it was asked to stop before."""
        with self._lock:
            RunCancelled.raised = RunCancelled.lost = RunCancelled.printed = False
            if run.cancel_reason is not None:
                RunCancelled.reason = run.cancel_reason
                raise RunCancelled
            self._armed = run

    def disarm(self) -> bool:
        """Let nothing be interrupted any more; returns whether RunCancelled was raised."""
        while True:
            try:
                with self._lock:
                    self._armed = None
                    self.task = None
                    raised = RunCancelled.raised
                    if self._requested:
                        self._requested = False
                        printed = RunCancelled.printed
                        self._drain()
                        RunCancelled.raised, RunCancelled.printed = raised, printed
                break
            except RunCancelled:
                # The exception came between the call of this function and the lock.
                continue
        if RunCancelled.printed:
            RunCancelled.printed = False
            say(_PRINTED)
        return raised

    def _drain(self) -> None:
        """Let an exception that was requested and not yet raised be raised here.

        Python has no better way: withdrawing the request leaves a flag set in the
        interpreter, and a traced interpreter never gets past this flag (3.11).
        """
        try:
            while True:
                # Repeatedly: a signal handler may be called and swallow the exception.
                _set_async_exc(self._main_thread, RunCancelled)
                for _ in range(1000):
                    pass
        except RunCancelled:
            pass

    def raise_now(self, reason: str) -> None:
        """Raise RunCancelled in the armed run, from a signal handler on the main thread."""
        run = self._armed
        if run is not None:
            run.cancel_reason = reason
            RunCancelled.reason = reason
            raise RunCancelled

    # On any other thread.

    def request(self, run: Run, reason: str, force: bool = True) -> None:
        """Ask a run that no longer waits in the queue to stop.

        Without `force`, a run that awaits is cancelled as an asyncio task, and not interrupted.
        """
        with self._lock:
            run.cancel_reason = reason
            if self._armed is not run:
                return  # `arm` will see the reason, or the run has ended
            RunCancelled.reason = reason
            task = self.task
            if task is not None and not force:
                task.get_loop().call_soon_threadsafe(task.cancel, reason)
                return
            self._requested = True
            _set_async_exc(self._main_thread, RunCancelled)

    def insist(self, run: Run, reason: str) -> bool:
        """Raise again an exception that Blender has swallowed; returns false after the run."""
        with self._lock:
            if self._armed is not run:
                return False  # another run may have lost its own exception
            lost, RunCancelled.lost = RunCancelled.lost, False
        if lost:
            self.request(run, reason)
        return self._armed is run

    def wake(self, run: Run) -> None:
        """Wake a run from a blocking system call, after it was asked to stop."""
        with self._lock:
            # A script that handles this signal itself is left alone.
            if self._armed is not run or signal.getsignal(_WAKE_SIGNAL) is not _on_wake:
                return
            if sys.platform == "win32":
                _wake_sleeper()
                if waits.end_wait(self._main_thread):
                    # The script meets an error of the system, and RunCancelled may get lost in
                    # the finalizers that are called then.
                    RunCancelled.raised = True
            else:
                signal.pthread_kill(self._main_thread, _WAKE_SIGNAL)

    def end_render(self, run: Run) -> bool:
        """Ask Blender to end its render, once in its life; returns whether it was asked."""
        with self._lock:
            if self._armed is not run or self.sigint_sent or sys.platform == "win32":
                return False
            # None: the handler was not set by Python, so it is Blender's own. Any other
            # handler belongs to the script, and the default action would kill the process.
            if signal.getsignal(signal.SIGINT) is not None:
                return False
            self.sigint_sent = True
        os.kill(os.getpid(), signal.SIGINT)
        return True


def _wake_sleeper() -> None:
    """Make Python's main thread handle its signals, also during time.sleep().

    Ctrl-Break does the same, but needs a console. time.sleep() waits for the event that is
    set here.
    """
    if sys.platform != "win32":
        return
    _thread.interrupt_main(_WAKE_SIGNAL)
    event = ctypes.pythonapi._PyOS_SigintEvent
    event.restype = ctypes.c_void_p
    ctypes.windll.kernel32.SetEvent(ctypes.c_void_p(event()))


def _on_wake(_signal_number: int, _frame: FrameType | None) -> None:
    # Python raises a pending exception at its next check, which is in this loop. From here
    # the exception goes up through the system call that was woken.
    for _ in range(2):
        pass
