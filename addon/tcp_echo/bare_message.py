# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogue of the simplest client: one bare JSON object and the answer to it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from . import json_scanner
from .frames import MAX_PAYLOAD
from .runs import Listener, Outcome, Run
from .session import BadRun, run_fields, source_bytes

if TYPE_CHECKING:
    from .connection import Connection
    from .service import Service

UNKNOWN_LIMIT = 64 * 1024

_WRONG_TOKEN = 'wrong or missing token: put "token" near the front of the message'


class BareMessage(Listener):
    """The dialogue of a connection that began with `{` or white space."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._service = connection.service
        self._scanner = json_scanner.ObjectScanner()
        self._buffer = bytearray()
        self._trusted = not self._service.token

    # For the connection, on the I/O thread.

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            end = self._scanner.feed(data)
        except json_scanner.ScanError as error:
            self._give_up(str(error))
            return
        if end is not None and end <= MAX_PAYLOAD:
            if not self._trusted and end > UNKNOWN_LIMIT and not self.knows_token():
                self._give_up(_WRONG_TOKEN)
                return
            payload = bytes(memoryview(self._buffer)[:end])
            self._buffer = bytearray()
            self._connection.trust()
            self._complete(payload)
        elif len(self._buffer) > MAX_PAYLOAD:
            self._give_up(f"the message is longer than {MAX_PAYLOAD} bytes")
        elif not self._trusted and len(self._buffer) > UNKNOWN_LIMIT and not self.knows_token():
            self._give_up(_WRONG_TOKEN)

    def eof_received(self) -> bool:
        if self._buffer:
            self._give_up("the message ends before its last bracket")
        return True

    def connection_lost(self) -> None:
        pass  # the code runs all the same

    def knows_token(self) -> bool:
        """Return whether the bytes received so far contain the right token."""
        if not self._trusted:
            prefix = bytes(memoryview(self._buffer)[:UNKNOWN_LIMIT])
            token = json_scanner.token_in_prefix(prefix)
            self._trusted = token is not None and self._service.token_is_right(token)
            if self._trusted:
                self._connection.trust()
        return self._trusted

    def _give_up(self, text: str) -> None:
        self._buffer = bytearray()
        self._answer(response="error", message=text)

    # The message.

    def _complete(self, payload: bytes) -> None:
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError) as error:
            self._answer(response="error", message=f"not JSON: {error}")
            return
        if not self._service.token_is_right(message.get("token")):
            self._answer(response="error", message=_WRONG_TOKEN)
            return
        wait = message.get("wait") is True
        answer = respond(self._service, message, self if wait else Unattended())
        if answer:
            self._answer(**answer)

    def _answer(self, **answer: Any) -> None:
        self._connection.send(encode(answer))
        self._connection.finish()

    # Events of a run whose client waits for its end, on the main thread.

    def finished(self, run: Run, outcome: Outcome) -> None:
        error = outcome.error
        self._service.server.call(
            self._answer_json,
            outcome.result,
            {
                "response": outcome.state,
                "message": f"{error['type']}: {error['message']}" if error else "",
                "seconds": outcome.seconds,
                "exit_code": outcome.exit_code,
                "error": error,
                "outputs": outcome.outputs,
            },
        )

    def _answer_json(self, result: str, answer: dict[str, Any]) -> None:
        text = encode(answer)
        self._connection.send(text[:-1] + b', "result": ' + result.encode("ascii") + b"}")
        self._connection.finish()


class Unattended(Listener):
    """The listener of a run whose client does not wait: it prints errors into the log."""

    def finished(self, run: Run, outcome: Outcome) -> None:
        if outcome.error is not None:
            trace = outcome.error["traceback"] or outcome.error["message"] + "\n"
            print(trace, end="", file=sys.stderr, flush=True)


def encode(answer: dict[str, Any]) -> bytes:
    return json.dumps({**answer, "source": "tcp_echo"}).encode("ascii")


def respond(service: Service, message: dict[str, Any], listener: Listener) -> dict[str, Any]:
    """Act on a message and return the answer, empty when the listener answers later."""
    code = message.get("code")
    if code is None:
        if "message" in message:
            return {"response": "echo", "message": message["message"]}
        return {"response": "error", "message": 'a message has "code" or "message"'}
    if not isinstance(code, str):
        return {"response": "error", "message": "code must be text"}
    if code.strip() == "quit_blender":
        service.request_quit()
        return {"response": "quitting", "message": "Blender ends"}
    if service.quitting:
        return {"response": "error", "message": "this Blender is about to end"}
    try:
        number = service.next_number()
        run = Run(number, "message", source_bytes(code), listener, **run_fields(message))
    except BadRun as error:
        return {"response": "error", "message": str(error)}
    service.queue.put(run)
    if isinstance(listener, Unattended):
        return {"response": "scheduled", "message": "the code runs as soon as Blender is free"}
    return {}
