# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs: the waiting ones, and the run that Blender's main thread executes."""

from __future__ import annotations

import os
import queue
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .render import Render


class Listener:
    """Is told of the events of a run, each on the thread where it happens."""

    # Whether to call `output` with what the run prints.
    wants_output = False

    def preparing(self, run: Run) -> None:
        """The scene of the run is made ready."""

    def started(self, run: Run, when: float) -> None:
        """The first line of the run is about to be executed, `when` seconds since 1970."""

    def output(self, run: Run, text: str) -> None:
        """The run has printed a text."""

    def progress(self, run: Run, fraction: float, text: str) -> None:
        """The run has reported its progress, from 0 to 1."""

    def frame(
        self, run: Run, frame: int, done: int, frames: int, picture: str, rendering: bool
    ) -> None:
        """The run begins a frame, or has one more done of so many, in the file `picture`."""

    def picture(self, run: Run, path: str) -> None:
        """A render of the run has written a picture."""

    def finished(self, run: Run, outcome: Outcome) -> None:
        """The run has ended."""

    def refused(self, run: Run) -> None:
        """Nothing of the run was executed, because this Blender is about to be replaced."""
        reason = "this Blender could not be cleaned and is about to be replaced"
        error = {"type": "RunRefused", "message": reason, "line": 0, "traceback": ""}
        self.finished(run, Outcome("failed", error))


class Run:
    """One script to execute, and the listener for its events."""

    __slots__ = (
        "args",
        "began",
        "cancel_reason",
        "code",
        "complete",
        "debug",
        "echo",
        "file",
        "folder",
        "id",
        "insisted_on",
        "isolation",
        "journal",
        "keeps_modules",
        "key",
        "listener",
        "name",
        "render",
        "scene",
        "session",
        "starts_at_once",
        "watched",
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
        isolation: str = "",
        journal: str = "",
        watched: tuple[str, ...] = (),
        keeps_modules: bool = False,
        render: Render | None = None,
        debug: str | None = None,
        echo: bool = False,
        complete: int | None = None,
    ) -> None:
        self.session = session
        self.id = run_id
        # Unique in this process; the marks in the output name the run by its key.
        self.key = f"{session}:{run_id}"
        self.code = code
        self.listener = listener
        self.file = file
        self.name = name
        self.args = args
        # The folder that comes first on sys.path and becomes the working directory, or "".
        self.folder = os.path.dirname(file) if file else directory
        self.scene = scene
        # What the run shares with the runs before it: nothing with "process", Blender with a new
        # scene with "scene", everything with "keep".
        self.isolation = isolation or ("keep" if scene == "keep" else "scene")
        # Whether the run goes on with the modules that were imported for scripts of other folders.
        self.keeps_modules = keeps_modules
        # The path of the run's journal, or "", and the folders, each with a separator at its end,
        # of which the journal says what the run writes there.
        self.journal = journal
        self.watched = watched
        # What is rendered when the script has ended, or None.
        self.render = render
        # The folder with the debugger for which the run waits, or ""; None: it does not wait.
        self.debug = debug
        # Whether the value of the last expression is shown.
        self.echo = echo
        # Where the cursor is in the code that is only to be completed, or None: it is executed.
        self.complete = complete
        # Why the run was asked to stop, or None.
        self.cancel_reason: str | None = None
        # Whether the run is asked to stop again and again. The I/O thread alone uses this.
        self.insisted_on = False
        # When the run began, by time.monotonic(); 0 while it waits.
        self.began = 0.0
        # Whether no other run was waiting or running when this run came.
        self.starts_at_once = False

    @property
    def filename(self) -> str:
        """The name of the script in tracebacks and in sys.argv."""
        return self.file or self.name or "<message>"


class Outcome:
    """How a run has ended; `result` is JSON text."""

    __slots__ = (
        "error",
        "exit_code",
        "imports",
        "outputs",
        "recycle",
        "result",
        "seconds",
        "state",
    )

    def __init__(self, state: str, error: dict[str, Any] | None = None) -> None:
        self.state = state
        self.error = error
        # The code with which a Blender would end that had nothing else to do.
        self.exit_code = 0 if state == "succeeded" else 1
        self.seconds = 0.0
        self.result = "null"
        self.outputs: list[str] = []
        # The files of modules in watched folders that the run has imported, each with its SHA-256.
        self.imports: list[tuple[str, str]] = []
        self.recycle = False

    @classmethod
    def cancelled_while_waiting(cls, reason: str) -> Outcome:
        return cls("cancelled", cancel_error(reason))


def cancel_error(reason: str) -> dict[str, Any]:
    """Return the error of a cancelled run, which names no line."""
    return {"type": "RunCancelled", "message": reason, "line": 0, "traceback": ""}


class RunQueue:
    """A first-in, first-out queue.

    `get` and `done` are for the main thread, the rest is for any thread.

    The queue needs no lock. A run waits as long as it is in the dict `_waiting`. A dict removes
    an item in one step, and the thread that has removed a run decides what becomes of the run. Runs
    are told apart as objects: a later run may have the id of a run that was cancelled.
    """

    def __init__(self) -> None:
        self._order: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._waiting: dict[Run, bool] = {}
        self.running: Run | None = None
        # The number of runs that have ended since the start.
        self.finished = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        return self.running is None and not self._waiting

    def put(self, run: Run) -> None:
        self._waiting[run] = True
        self._order.put(run)

    def withdraw(self, run: Run) -> bool:
        """Remove a waiting run; returns false when the run is not waiting any more."""
        return self._waiting.pop(run, False)

    def withdraw_all(self) -> None:
        self._waiting.clear()

    def wake(self) -> None:
        """Make a `get` that waits return None."""
        self._order.put(None)

    def get(self, wait: bool) -> Run | None:
        """Return the next run, which is the running one from here on.

        With `wait`, blocks until there is a run, or until `wake`. Returns None without a run.
        """
        while True:
            try:
                run = self._order.get(wait)
            except queue.Empty:
                return None
            if run is None:
                return None
            # In this order, so that other threads always see the run as waiting or running.
            self.running = run
            if self._waiting.pop(run, False):
                run.began = time.monotonic()
                return run
            self.running = None

    def done(self) -> None:
        """Record that the running run has ended."""
        self.running = None
        self.finished += 1
