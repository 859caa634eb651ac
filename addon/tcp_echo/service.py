# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together the server of this Blender and the parts that execute runs."""

from __future__ import annotations

import faulthandler
import gc
import hmac
import itertools
import os
import time
from typing import TYPE_CHECKING, Any

import bpy

from . import async_loop, outputs
from .ending import Ending
from .environment import Environment
from .imports import ScriptModules
from .interrupt import Interrupt
from .runner import Runner
from .runs import Run, RunQueue
from .scene import Scenes
from .server import Server
from .stdio import MarkedStream

if TYPE_CHECKING:
    import socket

    from .stdio import Stream

# How often a cancelled run is checked and its exception repeated if Blender has swallowed it, in
# seconds.
_INSIST_INTERVAL = 0.05
# How long after a cancel Blender is asked to end a render, in seconds.
_RENDER_GRACE = 0.25
# How long after a cancel a script that awaits is interrupted like any other, in seconds.
_AWAIT_GRACE = 1.0


class Service:
    """Made on the main thread; `stop` is idempotent."""

    def __init__(
        self,
        version: str,
        token: str,
        stream: Stream,
        port: int | None,
        parent: socket.socket | None = None,
    ) -> None:
        """Listen as a Server does; raises PortInUse."""
        self.version = version
        self.token = token
        self.queue = RunQueue()
        self.quitting = False
        self.server = Server(self, port, parent)
        self._started = time.monotonic()
        self._numbers = itertools.count(1)
        self._process = os.getpid()
        # The libraries of the .blend that is open at the start.
        self.libraries = [
            bpy.path.abspath(library.filepath) for library in getattr(bpy.data, "libraries", ())
        ]
        self._interrupt = Interrupt()
        self._modules = ScriptModules()
        self._stream = stream
        self._environment = Environment(async_loop.event_loop, self._enable_faults)
        self._runner = Runner(
            self.queue,
            stream,
            self._interrupt,
            Scenes(self._modules),
            self._modules,
            self._environment,
            Ending(self._modules.stays),
            async_loop.event_loop,
            self.server.tell_unclean,
            lambda: self.server.is_open,
        )

    # On the main thread.

    def start(self) -> None:
        """Start to serve."""
        outputs.collector.tell_progress = self.progress
        outputs.collector.tell_picture = self.picture
        self._stream.prepare()
        self._enable_faults()
        self._interrupt.install()
        self._modules.install()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)
        self.server.start()
        # Each fresh scene begins with a garbage collection. The objects that exist now stay,
        # and a collection that leaves them out takes microseconds.
        gc.collect()
        gc.freeze()
        if isinstance(self._stream, MarkedStream):
            # Nothing but scripts changes this process, so the first of them need not wait.
            self._environment.record()
        self._stream.ready(self.server.port, self.server.has_parent)

    def stop(self) -> None:
        self.quitting = True
        self.queue.withdraw_all()
        if os.getpid() == self._process:
            self.server.stop()
        self._modules.uninstall()

    def run_next(self, wait: bool) -> bool:
        """Execute the next run; returns false when no run was waiting or Blender is to end."""
        return not self.quitting and self._runner.run_next(wait)

    @property
    def busy(self) -> bool:
        return self.queue.running is not None

    def terminate(self) -> None:
        """End Blender from a signal handler; raises RunCancelled in the running script."""
        self.request_quit()
        self._interrupt.raise_now("cancelled")

    def _enable_faults(self) -> None:
        faulthandler.enable(self._stream.fault_file, all_threads=True)

    def _after_fork(self) -> None:
        self.server.shield_child()

    # On any thread.

    def next_number(self) -> int:
        """Return the number of the next session."""
        return next(self._numbers)

    def token_is_right(self, token: object) -> bool:
        if not self.token:
            return True
        return isinstance(token, str) and hmac.compare_digest(
            token.encode("utf-8", "surrogatepass"), self.token.encode("utf-8")
        )

    def request_quit(self) -> None:
        """Make the main thread leave its loop; drops waiting runs and cancels the running one."""
        self.quitting = True
        self.queue.withdraw_all()
        run = self.queue.running
        if run is not None:
            self.server.call(self.cancel, run, "cancelled")
        self.queue.wake()

    def progress(self, fraction: float, text: str) -> None:
        run = self.queue.running
        if run is not None:
            run.listener.progress(run, fraction, text)

    def picture(self, path: str) -> None:
        run = self.queue.running
        if run is not None:
            run.listener.picture(run, path)

    # On the I/O thread.

    def cancel(self, run: Run, reason: str) -> None:
        """Ask the run on the main thread to stop."""
        if not run.insisted_on:
            run.insisted_on = True
            self.server.loop.call_later(_INSIST_INTERVAL, self._insist, run, reason)
        self._interrupt.request(run, reason, force=False)
        loop = self.server.loop
        if not outputs.collector.rendering:
            self._interrupt.wake(run)
        loop.call_later(_RENDER_GRACE, self._end_render, run)
        loop.call_later(_AWAIT_GRACE, self._force, run, reason)

    def _end_render(self, run: Run) -> None:
        if outputs.collector.rendering:
            self._interrupt.end_render(run)

    def _insist(self, run: Run, reason: str) -> None:
        if self._interrupt.insist(run, reason):
            if not outputs.collector.rendering:
                # Again, because the first signal may have come right before a system call.
                self._interrupt.wake(run)
            self.server.loop.call_later(_INSIST_INTERVAL, self._insist, run, reason)

    def _force(self, run: Run, reason: str) -> None:
        if self._interrupt.task is not None:
            self._interrupt.request(run, reason)
            self._interrupt.wake(run)

    def status(self) -> dict[str, Any]:
        run = self.queue.running
        now = time.monotonic()
        return {
            "running": run
            and {
                "id": run.id,
                "session": run.session,
                "name": run.filename,
                "seconds": now - run.began if run.began else 0.0,
            },
            "queued": len(self.queue),
            "uptime_seconds": now - self._started,
            "runs": self.queue.finished,
            "rendering": outputs.collector.rendering,
        }
