# SPDX-License-Identifier: GPL-3.0-or-later
"""Executes runs on Blender's main thread, each as `blender --python` would."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import os
import sys
import time
import traceback
import types
from typing import TYPE_CHECKING, Any

from . import async_loop, completion, debug, ending, failure, lab, outputs, render, result, source
from .interrupt import Interrupt, RunCancelled
from .journal import journal
from .libraries import Libraries
from .runs import Outcome, Run, RunQueue, cancel_error
from .scene import Unclean
from .stdio import say
from .tee import Tees

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .environment import Environment
    from .imports import ScriptModules
    from .scene import Scenes
    from .stdio import Stream

# Kept here because a script may delete them from `builtins`.
_exec, _eval = exec, eval


class Runner:
    """Executes the runs of the queue, one at a time; every method is for the main thread."""

    def __init__(
        self,
        queue: RunQueue,
        stream: Stream,
        interrupt: Interrupt,
        scenes: Scenes,
        modules: ScriptModules,
        environment: Environment,
        script_end: ending.Ending,
        event_loop: Callable[[], asyncio.AbstractEventLoop],
        tell_unclean: Callable[[str], None],
        can_answer: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._stream = stream
        self._interrupt = interrupt
        self._scenes = scenes
        self._modules = modules
        self._environment = environment
        self._ending = script_end
        self._event_loop = event_loop
        # Called with the reason why this Blender should execute no other run.
        self._tell_unclean = tell_unclean
        self._can_answer = can_answer
        self._unclean = False
        self._tees = Tees()
        self._process = os.getpid()
        self._libraries: Libraries | None = None
        # Whether the output of the run tells of its exception already.
        self._told = False
        # The compiled script of the run, or None.
        self._code: types.CodeType | None = None

    @property
    def busy(self) -> bool:
        return self._queue.running is not None

    def run_next(self, wait: bool) -> bool:
        """Execute the next run; returns false when no run was waiting."""
        run = self._queue.get(wait)
        if run is None:
            return False
        if self._must_refuse(run):
            self._refuse(run)
            return True
        if run.complete is not None:
            self._complete(run)
            return True
        module = None
        try:
            self._record(run)
            self._prepare(run)
            module = self._environment.enter(run)
        except Unclean as error:
            self._unclean = True
            if self._must_refuse(run):
                self._refuse(run)
                self._call_unclean("remove what scripts have left", error)
                return True
            outcome = Outcome("failed", failure.describe(error, run.filename))
        except BaseException as error:  # the scene can't be had
            outcome = Outcome("failed", failure.describe(error, run.filename))
        if module is not None:
            outcome = self._perform(run, module)
            self._try("let the script go", self._environment.leave, run, module)
            if run.isolation != "keep":
                # What only the script's own names kept alive ends with the run.
                module = None
                gc.collect()
            with contextlib.suppress(Exception):  # the script has closed the stream below
                self._tees.end()
            outcome.outputs = outputs.collector.end()
        outcome.recycle = outcome.recycle or self._unclean or self._interrupt.sigint_sent
        outcome.seconds = time.monotonic() - run.began
        journal.end(run, outcome)
        self._stream.end(run.key)
        if self._stream.is_supervised and not self._can_answer():
            # The script has closed all descriptors that it has no use for, as daemons do. Without
            # the server's, the exit code is all that can be told.
            os._exit(outcome.exit_code)
        self._queue.done()
        run.listener.finished(run, outcome)
        self._try("repair the descriptors", self._stream.repair_descriptors)
        self._put_back(self._environment.parts_to_put_back(run))
        if run.isolation == "scene" and self._libraries is not None:
            self._try("end its threads", self._ending.end_daemons)
            self._try("end its tasks", async_loop.drop_tasks)
            self._put_back(self._libraries.parts())
        self._try("repair the streams", self._stream.repair)
        self._try("look at the modules", self._modules.after_run, run.folder)
        if wait:
            # Until the next run the main thread waits here, so nothing else changes this state.
            self._try("record the process", self._environment.record)
            self._try("look at what was left", self._scenes.after_run, run)
        return True

    def _complete(self, run: Run) -> None:
        """Answer how the code of a run may go on; the code is not executed."""
        run.began = time.monotonic()
        self._stream.begin(run.key)  # what properties print is no log of Blender
        run.listener.started(run, time.time())
        exception = None
        # Bare excepts, as in _call: a property may raise anything, and so may the interrupt.
        try:
            try:
                self._interrupt.arm(run)
                found = completion.complete(
                    run.code.decode("utf-8"), run.complete or 0, self._environment.session_names
                )
                outcome = Outcome("succeeded")
                outcome.result = result.to_json(found)
            except:  # noqa: E722
                exception = sys.exc_info()[1]
            self._interrupt.disarm()
        except:  # noqa: E722
            exception = sys.exc_info()[1]
            self._interrupt.disarm()
        if run.cancel_reason is not None:
            outcome = Outcome("cancelled", cancel_error(run.cancel_reason))
        elif exception is not None:
            outcome = Outcome("failed", failure.describe(exception, run.filename))
        outcome.recycle = self._unclean
        outcome.seconds = time.monotonic() - run.began
        self._stream.end(run.key)
        self._queue.done()
        run.listener.finished(run, outcome)

    def _try(self, what: str, function: Callable[..., object], *args: Any) -> None:
        """Do a part of the cleaning up; one that fails makes this Blender unfit for another run."""
        try:
            function(*args)
        except BaseException as error:
            self._call_unclean(what, error)

    def _put_back(self, parts: list[tuple[str, Callable[[], None]]]) -> None:
        """Put back each of the parts, which come with their names, whatever becomes of the others.

        A part that fails makes this Blender unfit for another run, as with `_try`.
        """
        for what, put_back in parts:
            try:
                put_back()
            except BaseException as error:
                self._call_unclean(f"put back {what}", error)

    def _call_unclean(self, what: str, error: BaseException) -> None:
        self._unclean = True
        if (
            not self.busy
        ):  # the report of a run that goes on says it, and the run must not be cut off
            reason = (
                str(error) if isinstance(error, Unclean) else f"{type(error).__name__}: {error}"
            )
            self._tell_unclean(f"can't {what} after a run: {reason}")

    def _must_refuse(self, run: Run) -> bool:
        """Return whether another Blender has to execute the run, as this one will be replaced."""
        return self._unclean and self._stream.is_supervised

    def _refuse(self, run: Run) -> None:
        self._queue.done()
        run.listener.refused(run)

    def _record(self, run: Run) -> None:
        """Record what is put back for the runs that share this Blender, before the first run."""
        if run.isolation == "process":
            return
        recorded = self._scenes.record()
        # Where a person has started the server, the process is not the scripts' alone.
        if run.isolation == "scene" and self._libraries is None and self._stream.is_supervised:
            self._libraries = Libraries()
            self._environment.record()  # more modules are loaded now
            recorded = True
        if recorded:
            # What was recorded stays as well, and the collections leave it out.
            gc.collect()
            gc.freeze()

    def _prepare(self, run: Run) -> None:
        """Make Blender ready for the run; raises SceneError when that is not possible."""
        if self._scenes.must_prepare(run):
            self._stream.preparing(run.key)
            run.listener.preparing(run)
            self._scenes.prepare(run)
        self._modules.before_run(run.folder, run.keeps_modules)

    def _perform(self, run: Run, module: types.ModuleType) -> Outcome:
        """Execute the script to the end of all that it has started."""
        self._scenes.used = True
        now = time.time()
        run.began = time.monotonic()
        outputs.collector.begin(now)
        journal.begin(run)
        self._stream.begin(run.key)
        run.listener.started(run, now)
        try:
            self._tees.begin(run)
            self._environment.note_streams()
            if self._environment.complaint:
                say(self._environment.complaint)
            return self._execute(run, module)
        except BaseException as error:
            # The script has broken something unforeseen: its signal handler may raise SystemExit
            # from now on, for example.
            return Outcome("failed", failure.describe(error, run.filename))

    def _execute(self, run: Run, module: types.ModuleType) -> Outcome:
        renders_ended = self._interrupt.sigint_sent
        self._told = False
        self._code = None
        self._ending.begin()
        if run.isolation == "scene" and self._libraries is not None:
            self._libraries.note_limits()
            # What a script sets in a context ends with it, such as the precision of decimals.
            exception = contextvars.copy_context().run(self._call, run, module)
            self._try("put back the limits", self._libraries.put_back_limits)
        else:
            exception = self._call(run, module)
        self._try("end the script", self._environment.end_script)
        if os.getpid() != self._process:
            _end_forked_child(exception, self._told)
        if run.isolation != "keep":
            self._try("settle the libraries", self._ending.settle)
        render_ended = self._interrupt.sigint_sent and not renders_ended
        cancelled = RunCancelled.raised or render_ended
        outcome = _outcome(run, module, exception, cancelled, self._told)
        if cancelled and run.isolation != "keep":
            # The run is over, and what it has started is not.
            outcome.recycle = any(not t.daemon for t in self._ending.new_threads())
        outcome.imports = self._modules.imported(run, self._code)
        ending.forget_exception()
        return outcome

    def _call(self, run: Run, module: types.ModuleType) -> BaseException | None:
        """Execute the script and return the exception that ended it, or None."""
        # Bare excepts: a script may have deleted the very names of the exceptions.
        exception = None
        try:
            exception = self._call_armed(run, module)
        except:  # noqa: E722
            # The interrupt came after the script's end and before `disarm`.
            exception = sys.exc_info()[1]
            self._interrupt.disarm()
        return exception

    def _call_armed(self, run: Run, module: types.ModuleType) -> BaseException | None:
        exception = None
        try:
            self._interrupt.arm(run)
            debug.wait(run)
            with lab.names_for(run, vars(module)) as names:
                code = self._code = source.compiled(run.code, run.filename, run.echo)
                if code.co_flags & inspect.CO_COROUTINE:
                    self._drive(_eval(code, names))
                else:
                    _exec(code, names)
            if run.render is not None:
                render.perform(run)
        except:  # noqa: E722
            exception = sys.exc_info()[1]
        try:
            self._finish(run, exception)
        except:  # noqa: E722
            if exception is None:
                exception = sys.exc_info()[1]
        self._interrupt.disarm()
        return exception

    def _finish(self, run: Run, exception: BaseException | None) -> None:
        """Do what Python does when the script of a process has ended."""
        if exception is None and run.isolation == "keep":
            return  # `end_script` follows at once, and mends
        self._environment.mend()
        if not RunCancelled.raised:
            self._told = ending.tell(exception, self._environment.exception_hook)
        if run.isolation == "keep":
            return
        try:
            if not RunCancelled.raised:
                self._ending.join_threads()
        finally:
            self._ending.call_exit_functions()

    def _drive(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a script that awaits at its top level, and then cancel the tasks that it has left."""
        loop = self._event_loop()
        task = loop.create_task(coroutine)
        self._interrupt.task = task
        try:
            loop.run_until_complete(task)
        finally:
            left = asyncio.all_tasks(loop)
            for other in left:
                other.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())


def _outcome(
    run: Run,
    module: types.ModuleType,
    exception: BaseException | None,
    cancelled: bool,
    told: bool,
) -> Outcome:
    awaited = isinstance(exception, asyncio.CancelledError) and run.cancel_reason is not None
    cancelled = cancelled or awaited
    code = ending.exit_code(exception)
    if cancelled:
        outcome = Outcome("cancelled", cancel_error(run.cancel_reason or ""))
    else:
        outcome = Outcome("failed" if code else "succeeded")
    outcome.exit_code = code or outcome.exit_code
    if exception is not None and (code or cancelled):
        outcome.error = failure.describe(exception, run.filename, told)
        if awaited:
            outcome.error.update(type="RunCancelled", message=run.cancel_reason)
    if "result" in vars(module):
        try:
            outcome.result = result.to_json(vars(module)["result"])
        except result.ResultError as error:
            say(f"the result is not sent: {error}")
        except BaseException as error:  # the value's own methods may raise anything
            say(f"the result is not sent: {type(error).__name__}")
    return outcome


def _end_forked_child(exception: BaseException | None, told: bool) -> None:
    """End a child process that the script forked and that has come to the script's end."""
    status = ending.exit_code(exception)
    if exception is not None and not told:
        with contextlib.suppress(Exception):  # the script may have closed the stream
            trace = failure.without_own_frames(exception.__traceback__)
            traceback.print_exception(type(exception), exception, trace)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 1
    os._exit(status)
