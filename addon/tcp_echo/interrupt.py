# SPDX-License-Identifier: GPL-3.0-or-later
"""Stops the script on the main thread from another thread.

An exception is raised in it, and never in anything else: between `arm` and `disarm` it can
come, before and after it can't. Code that is in C when it is asked to stop gets the
exception when it comes back to Python. Blocking system calls are woken, and a render is
ended by the SIGINT that Blender itself listens to.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from .runs import Run

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)

# On POSIX, a signal whose default is to be ignored, so a late one harms nobody. Windows has
# none that wakes a system call, but Python has a stand-in for one that wakes time.sleep().
if sys.platform == "win32":
    _WAKE_SIGNAL = signal.SIGBREAK
else:
    _WAKE_SIGNAL = signal.SIGURG

# The file of the Python function through which scripts call operators.
_OPERATOR_CALLS = getattr(sys.modules.get("bpy.ops"), "__file__", None)


class RunCancelled(KeyboardInterrupt):
    """Raised in a script that was asked to stop."""

    # Set when one has been raised, because a script may catch it and end as if nothing
    # had happened.
    raised = False
    # Set when it was raised below an operator, in a handler or a render engine: Blender
    # prints it then and goes on, and it has to be raised again.
    lost = False
    reason = "cancelled"

    def __init__(self, *args: object) -> None:
        RunCancelled.raised = True
        frame: FrameType | None = sys._getframe(1)
        if sys.version_info >= (3, 12):
            # Made where it is raised; before, where it is caught or printed.
            frame = frame.f_back
        while frame is not None:
            if frame.f_code.co_filename == _OPERATOR_CALLS:
                RunCancelled.lost = True
            frame = frame.f_back
        super().__init__(*(args or (RunCancelled.reason,)))


class Interrupt:
    """The one way to stop what runs. Make it on the main thread."""

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
        """Make blocking system calls of the main thread wake up when it is interrupted."""
        signal.signal(_WAKE_SIGNAL, _on_wake)

    # On the main thread.

    def arm(self, run: Run) -> None:
        """From here on the run can be interrupted; raises at once if it already was."""
        with self._lock:
            RunCancelled.raised = RunCancelled.lost = False
            if run.cancel_reason is not None:
                RunCancelled.reason = run.cancel_reason
                raise RunCancelled
            self._armed = run

    def disarm(self) -> bool:
        """From here on nothing is raised any more; tells whether it was."""
        while True:
            try:
                with self._lock:
                    self._armed = None
                    self.task = None
                    raised = RunCancelled.raised
                    if self._requested:
                        self._requested = False
                        self._drain()
                        RunCancelled.raised = raised
                return raised
            except RunCancelled:
                # It came between the call of this function and the lock.
                continue

    def _drain(self) -> None:
        """Have what was requested and not raised yet raised here.

        Python has no better way: to take it back leaves the interpreter with a flag that
        something is to be done, and one that is being traced never gets past it (3.11).
        """
        try:
            while True:
                # More than once: the handler of a signal may come and swallow it.
                _set_async_exc(self._main_thread, RunCancelled)
                for _ in range(1000):
                    pass
        except RunCancelled:
            pass

    def raise_now(self, reason: str) -> None:
        """Raise in the armed run from a signal handler, which is on its own thread."""
        run = self._armed
        if run is not None:
            run.cancel_reason = reason
            RunCancelled.reason = reason
            raise RunCancelled

    # On any other thread.

    def request(self, run: Run, reason: str, force: bool = True) -> None:
        """Ask a run that was taken from the queue to stop.

        Without `force`, a run that awaits is only cancelled as asyncio does it.
        """
        with self._lock:
            run.cancel_reason = reason
            if self._armed is not run:
                return  # `arm` will see the reason, or it has ended
            RunCancelled.reason = reason
            task = self.task
            if task is not None and not force:
                task.get_loop().call_soon_threadsafe(task.cancel, reason)
                return
            self._requested = True
            _set_async_exc(self._main_thread, RunCancelled)

    def insist(self, run: Run, reason: str) -> bool:
        """Raise again what Blender has swallowed; false when the run has ended."""
        if RunCancelled.lost:
            RunCancelled.lost = False
            self.request(run, reason)
        return self._armed is run

    def wake(self, run: Run) -> None:
        """Wake a run that was asked to stop from a blocking system call."""
        with self._lock:
            # A script that handles this signal itself is left alone.
            if self._armed is not run or signal.getsignal(_WAKE_SIGNAL) is not _on_wake:
                return
            if sys.platform == "win32":
                _wake_sleeper()
            else:
                signal.pthread_kill(self._main_thread, _WAKE_SIGNAL)

    def end_render(self, run: Run) -> bool:
        """Have Blender end the render that goes on; true when it was asked to, once ever."""
        with self._lock:
            if self._armed is not run or self.sigint_sent or sys.platform == "win32":
                return False
            # None: the handler is not Python's, hence Blender's own. Any other one
            # belongs to the script, and the default would kill the process.
            if signal.getsignal(signal.SIGINT) is not None:
                return False
            self.sigint_sent = True
        os.kill(os.getpid(), signal.SIGINT)
        return True


def _wake_sleeper() -> None:
    """Have Python's main thread see to its signals, also in time.sleep().

    As Ctrl-Break would, without a console. It sleeps by waiting for this event.
    """
    if sys.platform != "win32":
        return
    _thread.interrupt_main(_WAKE_SIGNAL)
    event = ctypes.pythonapi._PyOS_SigintEvent
    event.restype = ctypes.c_void_p
    ctypes.windll.kernel32.SetEvent(ctypes.c_void_p(event()))


def _on_wake(_signal_number: int, _frame: FrameType | None) -> None:
    # The exception that waits for the main thread is raised where Python looks for it
    # next, which is here, and then goes up through the system call that was woken.
    for _ in range(2):
        pass
