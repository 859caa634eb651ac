# SPDX-License-Identifier: GPL-3.0-or-later
"""Has SIGTERM end a Blender in the background, at whatever moment the signal comes.

Python handles a signal on the main thread between two instructions. A signal that comes right
before a system call is handled when the call returns, which may be never. So a thread hears of the
signal, too, and wakes the main thread until the signal is handled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# How often the main thread is woken, in seconds, and how many times.
_WAKE_INTERVAL = 0.05
_WAKES = 200

# The lowest number of the descriptor that Python writes signals to. A script may close a range of
# descriptors and then open a file, which gets a low number: nothing is to be written there.
_LOWEST_DESCRIPTOR = 4000


class _Termination:
    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._handled = threading.Event()
        self._main_thread = threading.get_ident()

    def install(self) -> None:
        signal.signal(signal.SIGTERM, self._on_terminate)
        if sys.platform == "win32":
            return
        os.register_at_fork(after_in_child=self._leave_child)
        with contextlib.suppress(OSError):  # without descriptors there is the handler alone
            reading, writing = os.pipe()
            writing = _moved_up(writing)
            os.set_blocking(writing, False)
            signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
            threading.Thread(
                target=self._watch, args=(reading,), name="tcp_echo signals", daemon=True
            ).start()

    def _on_terminate(self, _signal_number: int, _frame: FrameType | None) -> None:
        self._handled.set()
        self._act()

    def _watch(self, reading: int) -> None:
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):  # a script has closed the descriptors
            while True:
                signals = os.read(reading, 512)
                if not signals:
                    return
                if signal.SIGTERM not in signals:
                    continue
                for _ in range(_WAKES):
                    # A signal that is ignored by default does no harm where its handler is gone.
                    signal.pthread_kill(self._main_thread, signal.SIGURG)
                    if self._handled.wait(_WAKE_INTERVAL):
                        break

    def _leave_child(self) -> None:
        """Have SIGTERM end a process that a script forked, as under plain Blender."""
        with contextlib.suppress(ValueError):  # not on the main thread of the child
            if signal.getsignal(signal.SIGTERM) == self._on_terminate:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.set_wakeup_fd(-1)


def install(act: Callable[[], None]) -> None:
    """Have `act` called on the main thread when SIGTERM comes. Call it on the main thread."""
    _Termination(act).install()


def _moved_up(descriptor: int) -> int:
    """Return a descriptor with a high number in the place of one, where the limit allows that."""
    if sys.platform == "win32":
        return descriptor
    import fcntl

    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
    except OSError:
        return descriptor
    os.close(descriptor)
    return moved
