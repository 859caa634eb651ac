# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that wait for Blender's main thread, and the one that is on it."""

from __future__ import annotations

import os
import queue
import time
from typing import Any


class Listener:
    """Is told what comes of a run, on whatever thread it happens."""

    # Whether it wants to be told what the run prints.
    wants_output = False

    def started(self, run: Run, when: float) -> None:
        """The run has begun, at a time in seconds since 1970."""

    def output(self, run: Run, text: str) -> None:
        """The run has printed a text."""

    def progress(self, run: Run, fraction: float, text: str) -> None:
        """The run has come so far, 0 to 1."""

    def finished(self, run: Run, outcome: Outcome) -> None:
        """The run has ended."""


class Run:
    """One script to execute, and whom to tell what comes of it."""

    __slots__ = (
        "args",
        "began",
        "cancel_reason",
        "code",
        "file",
        "folder",
        "id",
        "key",
        "listener",
        "name",
        "scene",
        "session",
        "starts_at_once",
    )

    def __init__(
        self,
        session: int,
        run_id: str,
        code: bytes,
        listener: Listener,
        file: str = "",
        name: str = "",
        args: tuple[str, ...] = (),
        directory: str = "",
        scene: str = "keep",
    ) -> None:
        self.session = session
        self.id = run_id
        # Unique in this process, and the run's name in the marks of the stream.
        self.key = f"{session}:{run_id}"
        self.code = code
        self.listener = listener
        self.file = file
        self.name = name
        self.args = args
        # What is put first on sys.path and made the working directory, or "".
        self.folder = os.path.dirname(file) if file else directory
        self.scene = scene
        # Why it was asked to stop, or None.
        self.cancel_reason: str | None = None
        # When it began, by time.monotonic(); 0 while it waits.
        self.began = 0.0

        # Nothing was before it in the queue.
        self.starts_at_once = False

    @property
    def filename(self) -> str:
        """What stands for the script in tracebacks and in sys.argv[0]."""
        return self.file or self.name or "<message>"


class Outcome:
    """What came of a run; `result` is JSON text."""

    __slots__ = ("error", "outputs", "recycle", "result", "seconds", "state")

    def __init__(self, state: str, error: dict[str, Any] | None = None) -> None:
        self.state = state
        self.error = error
        self.seconds = 0.0
        self.result = "null"
        self.outputs: list[str] = []
        self.recycle = False

    @classmethod
    def cancelled_while_waiting(cls, reason: str) -> Outcome:
        return cls("cancelled", cancel_error(reason))


def cancel_error(reason: str) -> dict[str, Any]:
    """Return the error of a run that was stopped where no line can be blamed."""
    return {"type": "RunCancelled", "message": reason, "line": 0, "traceback": ""}


class RunQueue:
    """First come, first served. Put and cancel on any thread, take on the main thread.

    It needs no lock: a run is waiting as long as it is in `_waiting`, and the one that
    takes it out of there, which a dict does in one step, may decide about it.
    """

    def __init__(self) -> None:
        self._order: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._waiting: dict[str, Run] = {}
        self.running: Run | None = None
        # How many have ended since the start.
        self.finished = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        return self.running is None and not self._waiting

    def put(self, run: Run) -> None:
        self._waiting[run.key] = run
        self._order.put(run)

    def withdraw(self, run: Run) -> bool:
        """Take a waiting run out; false when it is not waiting any more."""
        return self._waiting.pop(run.key, None) is not None

    def withdraw_all(self) -> None:
        self._waiting.clear()

    def wake(self) -> None:
        """Make a `take` that waits return None."""
        self._order.put(None)

    def take(self, wait: bool) -> Run | None:
        """Return the next run as the running one, or None when there is none or on `wake`."""
        while True:
            try:
                run = self._order.get(wait)
            except queue.Empty:
                return None
            if run is None:
                return None
            # In this order, so that a run is always seen waiting or running.
            self.running = run
            if self._waiting.pop(run.key, None) is not None:
                run.began = time.monotonic()
                return run
            self.running = None

    def done(self) -> None:
        """Say that the running one has ended."""
        self.running = None
        self.finished += 1
