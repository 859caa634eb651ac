# SPDX-License-Identifier: GPL-3.0-or-later
"""A session: one peer that sends frames, and its runs."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

import bpy

from . import frames, proof, render, strict_json
from .runs import Listener, Outcome, Run

if TYPE_CHECKING:
    from .connection import Connection

PROTOCOL = 1

# The largest frame before the peer has shown the token, in bytes.
FIRST_FRAME_LIMIT = 4096
# The most runs that may wait in one session, and the most bytes of their code.
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 256 << 20

# The shortest time between two progress frames, in seconds: people read them.
_PROGRESS_INTERVAL = 0.05
# The shortest time between two pictures of a render that goes on, in seconds.
_PICTURE_INTERVAL = 0.5

# How long `started` may be held back to be sent with `finished`, in seconds.
_PUSH_SECONDS = 0.002

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadRun(ValueError):
    """A field of a run is wrong; the text is sent to the peer."""


def run_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a run frame and a bare message share, as arguments of Run."""
    fields: dict[str, Any] = {}
    for name, argument in (("file", "file"), ("name", "name"), ("dir", "directory")):
        value = message.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or "\0" in value:
            raise BadRun(f"{name} must be text without null characters")
        fields[argument] = value
    for name, argument in (("file", "file"), ("dir", "directory")):
        if fields.get(argument) and not os.path.isabs(fields[argument]):
            raise BadRun(f"{name} must be an absolute path")
    args = message.get("args")
    if args is not None:
        if not isinstance(args, list) or not all(isinstance(item, str) for item in args):
            raise BadRun("args must be a list of texts")
        fields["args"] = tuple(args)
    scene = message.get("scene")
    if scene is not None and scene != "":
        if not isinstance(scene, str) or "\0" in scene:
            raise BadRun('scene must be "keep", "fresh" or the absolute path of a .blend')
        if scene not in ("keep", "fresh") and not os.path.isabs(scene):
            raise BadRun('scene must be "keep", "fresh" or the absolute path of a .blend')
        fields["scene"] = scene
    isolation = message.get("isolation")
    if isolation is not None and isolation != "":
        if isolation not in ("process", "scene", "keep"):
            raise BadRun('isolation must be "process", "scene" or "keep"')
        fields["isolation"] = isolation
    return fields


def journal_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a run frame that are about its journal, as arguments of Run."""
    path = message.get("journal")
    watched = message.get("watched")
    watched = [] if watched is None else watched
    if not isinstance(watched, list) or not all(isinstance(item, str) for item in watched):
        raise BadRun("watched must be a list of texts")
    if path is None or path == "":
        return {}
    if not isinstance(path, str) or "\0" in path or not os.path.isabs(path):
        raise BadRun("journal must be an absolute path")
    return {"journal": path, "watched": tuple(os.path.join(item, "") for item in watched)}


def render_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the field of a run frame that says what to render, as an argument of Run."""
    wanted = message.get("render")
    if wanted is None:
        return {}
    try:
        return {"render": render.parse(wanted)}
    except ValueError as error:
        raise BadRun(str(error)) from None


def debug_fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return the field of a run frame that has it wait for a debugger, as an argument of Run."""
    wanted = message.get("debug")
    if wanted is None:
        return {}
    path = wanted.get("path") if isinstance(wanted, dict) else False
    path = "" if path is None else path
    if not isinstance(path, str) or "\0" in path or (path and not os.path.isabs(path)):
        raise BadRun("debug must be an object whose path is absolute or empty")
    return {"debug": path}


def complete_fields(message: dict[str, Any], code: bytes) -> dict[str, Any]:
    """Return the field of a run frame that has its code completed, as an argument of Run."""
    cursor = message.get("complete")
    if cursor is None:
        return {}
    try:
        length = len(code.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadRun("complete needs code that is UTF-8") from None
    if type(cursor) is not int or not 0 <= cursor <= length:
        raise BadRun(f"complete must be a number from 0 to {length}")
    return {"complete": cursor}


def source_bytes(text: str) -> bytes:
    """Return source text as the bytes of a file, which Python decodes by its own rules."""
    # The compiler complains about half a surrogate pair.
    return text.encode("utf-8", "surrogatepass")


class Session(Listener):
    """The dialogue of a connection that began with a frame."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._service = connection.service
        self._reader = frames.FrameReader(FIRST_FRAME_LIMIT)
        self._welcomed = False
        # The `hello` of a peer that has not proved yet that it knows the token, and what it then
        # has to send.
        self._greeting: dict[str, Any] = {}
        self._expected_proof = ""
        # Whether the peer wants the output of its runs. A supervisor reads it from the pipe.
        self.wants_output = False
        self._runs: dict[str, Run] = {}
        # What a script has reported last, unless it was sent, and whether _send_progress will be
        # called.
        self._progress: tuple[str, float, str] | None = None
        self._progress_due = False
        self._last_picture = 0.0
        # The runs since the last push whose `started` may be held back.
        self._at_once = 0

    # For the connection, on the I/O thread.

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            for payload in self._reader.frames():
                if not self._frame(payload):
                    return
        except frames.FrameError as error:
            self._refuse("bad_frame", str(error))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self) -> None:
        for run in list(self._runs.values()):
            self._service.queue.withdraw(run)

    def knows_token(self) -> bool:
        return self._welcomed

    # Frames from the peer.

    def _frame(self, payload: bytes) -> bool:
        """Act on a frame; returns false when the session is over."""
        try:
            message = strict_json.loads(payload)
            kind: object = message["type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._refuse("bad_frame", "a frame is a JSON object with a type")
        if not self._welcomed:
            return self._greet(kind, message)
        action = self._ACTIONS.get(kind) if isinstance(kind, str) else None
        if action is None:
            return self._refuse("bad_frame", f"unknown type {kind!r}")
        action(self, message)
        return kind != "quit"

    def _refuse(self, code: str, text: str) -> bool:
        """Close the connection, and tell a welcomed peer why; returns false."""
        if self._welcomed or code in ("unauthorized", "protocol"):
            self._error(code, text)
            self._connection.finish()
        else:
            self._connection.cut_off()
        return False

    def _greet(self, kind: object, message: dict[str, Any]) -> bool:
        """Act on a frame of a peer that is not welcome yet; returns false at the session's end."""
        if kind == "hello" and not self._greeting:
            protocol = message.get("protocol")
            if type(protocol) is not int or protocol != PROTOCOL:
                return self._refuse("protocol", f"this Blender speaks protocol {PROTOCOL}")
            if not isinstance(message.get("output"), (bool, type(None))):
                return self._refuse("protocol", "output must be true or false")
            if self._connection.trusted:
                return self._welcome(message)
            return self._challenge(message)
        if kind == "proof" and self._greeting:
            if proof.same(message.get("proof"), self._expected_proof):
                return self._welcome(self._greeting)
            return self._refuse("unauthorized", "wrong token: it is that of another Blender")
        return self._refuse("", "")

    def _challenge(self, hello: dict[str, Any]) -> bool:
        """Prove that this Blender knows the token, and ask the peer to do so."""
        client_nonce = hello.get("nonce")
        if not proof.is_nonce(client_nonce):
            return self._refuse("unauthorized", "hello has no nonce of 64 hex digits")
        assert isinstance(client_nonce, str)
        nonce = proof.new_nonce()
        parts = self._service.token, self._service.server.port, client_nonce, nonce
        self._greeting, self._expected_proof = hello, proof.of_client(*parts)
        self._send(type="challenge", nonce=nonce, proof=proof.of_server(*parts))
        return True

    def _welcome(self, hello: dict[str, Any]) -> bool:
        self._welcomed = True
        self._greeting = {}
        self.wants_output = hello.get("output") is True
        self._connection.trust()
        self._reader.limit = frames.MAX_PAYLOAD
        self._send(
            type="welcome",
            protocol=PROTOCOL,
            session=self._connection.number,
            addon=self._service.version,
            blender=bpy.app.version_string,
            python=sys.version.split()[0],
            pid=os.getpid(),
            port=self._service.server.port,
            loop=self._service.server.loop_name,
            libraries=self._service.libraries,
        )
        return True

    def _run(self, message: dict[str, Any]) -> None:
        run_id = message.get("id")
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
            self._error("bad_run", "id must be 1 to 64 characters of A-Z a-z 0-9 _ -")
        elif run_id in self._runs:
            self._error("duplicate_id", "a run of this id has not ended", run_id)
        elif len(self._runs) > MAX_WAITING:
            self._error("too_many", f"{MAX_WAITING} runs are waiting", run_id)
        elif self._service.quitting:
            self._error("quitting", "this Blender is about to end", run_id)
        else:
            try:
                code = _code(message)
                run = Run(
                    self._connection.number,
                    run_id,
                    code,
                    self,
                    **run_fields(message),
                    **journal_fields(message),
                    keeps_modules=message.get("keep_modules") is True,
                    **render_fields(message),
                    **debug_fields(message),
                    echo=message.get("echo") is True,
                    **complete_fields(message, code),
                )
            except BadRun as error:
                self._error("bad_run", str(error), run_id)
                return
            waiting = sum(len(other.code) for other in list(self._runs.values()))
            if waiting + len(run.code) > MAX_WAITING_BYTES:
                self._error("too_many", f"{MAX_WAITING_BYTES >> 20} MiB of code wait", run_id)
                return
            self._runs[run_id] = run
            if self._service.queue.idle:
                run.starts_at_once = True
                self._push_soon()
            self._service.queue.put(run)

    def _cancel(self, message: dict[str, Any]) -> None:
        run_id = message.get("id")
        run = self._runs.get(run_id) if isinstance(run_id, str) else None
        reason = message.get("reason")
        reason = reason if isinstance(reason, str) and reason else "cancelled"
        if run is None:
            self._error("unknown_id", "no run of this id is waiting or running", run_id)
        elif self._service.queue.withdraw(run):
            run.cancel_reason = reason
            self.finished(run, Outcome.cancelled_while_waiting(reason))
        else:
            self._service.cancel(run, reason)

    def _status(self, _message: dict[str, Any]) -> None:
        self._send(type="status", **self._service.status())

    def _ping(self, message: dict[str, Any]) -> None:
        self._send(type="pong", id=message.get("id"))
        if message.get("wake") is True and self._service.queue.idle:
            self._service.queue.wake()

    def _quit(self, _message: dict[str, Any]) -> None:
        self._service.request_quit()
        self._connection.finish()

    _ACTIONS = {
        "run": _run,
        "cancel": _cancel,
        "status": _status,
        "ping": _ping,
        "quit": _quit,
    }

    def tell_unclean(self, reason: str) -> None:
        if self._welcomed:
            self._send(type="recycle", reason=reason)

    # Events of runs, mostly on the main thread.

    def preparing(self, run: Run) -> None:
        self._connection.send(
            frames.pack(f'{{"type":"preparing","id":"{run.id}"}}'.encode("ascii"))
        )

    def started(self, run: Run, when: float) -> None:
        self._progress_due = False  # so the first progress of each run is sent at once
        self._last_picture = -_PICTURE_INTERVAL
        # Many scripts end within a millisecond: one packet then carries this and `finished`.
        self._connection.send(
            frames.pack(f'{{"type":"started","id":"{run.id}","time":{when!r}}}'.encode("ascii")),
            more=run.starts_at_once,
        )

    def _push_soon(self) -> None:
        """Have `started` sent alone if `finished` does not follow at once."""
        self._at_once += 1
        if self._at_once == 1:
            self._service.server.loop.call_later(_PUSH_SECONDS, self._push, 1)

    def _push(self, pushed: int) -> None:
        for run in list(self._runs.values()):
            run.starts_at_once = False  # it has not, so its `started` is sent without delay
        self._connection.push()
        if self._at_once > pushed:
            self._service.server.loop.call_later(_PUSH_SECONDS, self._push, self._at_once)
        else:
            self._at_once = 0

    def output(self, run: Run, text: str) -> None:
        # A peer that does not read must not fill this Blender's memory.
        if not self._connection.backed_up:
            self._send(type="output", id=run.id, text=text)

    def progress(self, run: Run, fraction: float, text: str) -> None:
        self._progress = (run.id, fraction, text)
        if self._progress_due and fraction < 1:
            return  # the newest is sent when it is due
        self._progress_due = True
        # The I/O thread sends it, because a script may be interrupted in the middle of `send`.
        self._service.server.call(self._send_progress)

    def _send_progress(self) -> None:
        """Send the newest progress, and again what is reported within the interval after it."""
        if self._progress is None:
            self._progress_due = False
            if self._progress is None:  # the script may have reported just before that
                return
            self._progress_due = True
        (run_id, fraction, text), self._progress = self._progress, None
        if run_id in self._runs and not self._connection.backed_up:
            self._send(type="progress", id=run_id, fraction=fraction, text=text)
        self._service.server.loop.call_later(_PROGRESS_INTERVAL, self._send_progress)

    def frame(
        self, run: Run, frame: int, done: int, frames: int, picture: str, rendering: bool
    ) -> None:
        # All of them, because the supervisor counts the samples within the frame by these.
        self._service.server.call(self._send_frame, run.id, frame, done, frames, picture, rendering)

    def _send_frame(
        self, run_id: str, frame: int, done: int, frames: int, picture: str, rendering: bool
    ) -> None:
        if run_id in self._runs and not self._connection.backed_up:
            self._send(
                type="progress",
                id=run_id,
                fraction=done / frames if frames else 1.0,
                text=f"frame {frame}",
                frame=frame,
                frames_done=done,
                frames=frames,
                picture=picture,
                rendering=rendering,
            )

    def picture(self, run: Run, path: str) -> None:
        now = time.monotonic()
        if now - self._last_picture < _PICTURE_INTERVAL:
            return  # nobody sees it, and the render goes on at once
        self._last_picture = now
        self._service.server.call(self._send_picture, run.id, path)

    def _send_picture(self, run_id: str, path: str) -> None:
        if run_id in self._runs and not self._connection.backed_up:
            self._send(type="picture", id=run_id, picture=path)

    def finished(self, run: Run, outcome: Outcome) -> None:
        self._runs.pop(run.id, None)
        error = "null" if outcome.error is None else json.dumps(outcome.error)
        self._connection.send(
            frames.pack(
                (
                    f'{{"type":"finished","id":"{run.id}","state":"{outcome.state}",'
                    f'"exit_code":{outcome.exit_code},'
                    f'"seconds":{outcome.seconds!r},"error":{error},"result":{outcome.result},'
                    f'"outputs":{json.dumps(outcome.outputs) if outcome.outputs else "[]"},'
                    f'"imports":{json.dumps(outcome.imports) if outcome.imports else "[]"},'
                    f'"recycle":{"true" if outcome.recycle else "false"}}}'
                ).encode("ascii")
            )
        )

    def refused(self, run: Run) -> None:
        self._runs.pop(run.id, None)
        self._error("quitting", "this Blender is not clean and should be replaced", run.id)

    # Frames to the peer.

    def _error(self, code: str, text: str, run_id: object = None) -> None:
        extra = {} if run_id is None else {"id": run_id}
        self._send(type="error", code=code, message=text, **extra)

    def _send(self, **message: Any) -> None:
        self._connection.send(frames.pack(json.dumps(message).encode("ascii")))


def _code(message: dict[str, Any]) -> bytes:
    encoded = message.get("code_base64")
    if encoded is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadRun("code_base64 is not base64") from None
    code = message.get("code")
    if not isinstance(code, str):
        raise BadRun("code must be text")
    return source_bytes(code)
