# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogue of the simplest client: one bare JSON object and the answer to it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from . import json_scanner, strict_json
from .frames import MAX_PAYLOAD
from .runs import Listener, Outcome, Run
from .session import BadRun, run_fields, source_bytes

if TYPE_CHECKING:
    from .connection import Connection
    from .service import Service

UNKNOWN_LIMIT = 64 * 1024
# The longest `message`, in characters of JSON: it is printed and comes back.
MESSAGE_LIMIT = 64 * 1024

_WRONG_TOKEN = 'wrong or missing token: put "token" near the front of the message'


class BareMessage(Listener):
    """The dialogue of a connection that began with `{` or white space."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._service = connection.service
        self._scanner = json_scanner.ObjectScanner()
        self._buffer = bytearray()
        self._trusted = connection.trusted

    # For the connection, on the I/O thread.

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            end = self._scanner.feed(data)
        except json_scanner.ScanError as error:
            self._give_up(str(error))
            return
        if end is not None and end <= MAX_PAYLOAD:
            if not self.knows_token():
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
        self._answer(refusal(text))

    # The message.

    def _complete(self, payload: bytes) -> None:
        try:
            message = strict_json.loads(payload)
        except (ValueError, RecursionError) as error:
            self._answer(refusal(f"not JSON in UTF-8: {error}"))
            return
        # The scan has found one token; JSON takes the last of several.
        if not self._connection.trusted and not self._service.token_is_right(message.get("token")):
            self._answer(refusal(_WRONG_TOKEN))
            return
        wait = message.get("wait")
        if not isinstance(wait, (bool, type(None))):
            self._answer(refusal("wait must be true or false"))
            return
        answer = respond(self._service, message, self if wait else Unattended())
        if answer:
            self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> None:
        self._connection.send(encode(self._service, answer))
        self._connection.finish()

    # Events of a run whose client waits for its end, on the main thread.

    def finished(self, run: Run, outcome: Outcome) -> None:
        error = outcome.error
        answer: dict[str, Any] = {"response": "OK", "message": ""}
        if error is not None:
            answer = refusal(f"{error['type']}: {error['message']}")
        elif outcome.state != "succeeded":
            answer = refusal("")
        answer.update(
            state=outcome.state,
            seconds=outcome.seconds,
            exit_code=outcome.exit_code,
            error=error,
            outputs=outcome.outputs,
        )
        text = encode(self._service, answer)
        self._connection.send(text[:-1] + b', "result": ' + outcome.result.encode("ascii") + b"}")
        self._service.server.call(self._connection.finish)


class Unattended(Listener):
    """The listener of a run whose client does not wait: it prints errors into the log."""

    def finished(self, run: Run, outcome: Outcome) -> None:
        if outcome.error is not None:
            trace = outcome.error["traceback"] or outcome.error["message"] + "\n"
            print(trace, end="", file=sys.stderr, flush=True)


def encode(service: Service, answer: dict[str, Any]) -> bytes:
    return json.dumps(with_source(service, answer)).encode("ascii")


def with_source(service: Service, answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "source": f"tcp://127.0.0.1:{service.server.port}"}


def refusal(text: str) -> dict[str, Any]:
    """Return the answer that refuses a message, as this and other add-ons' clients know it."""
    return {"response": "error", "status": "error", "message": text}


def respond(service: Service, message: dict[str, Any], listener: Listener) -> dict[str, Any]:
    """Act on a message and return the answer, empty when the listener answers later."""
    code = message.get("code")
    if code is None and "message" not in message:
        return refusal('a message has "code" or "message"')
    if code is not None and not isinstance(code, str):
        return refusal("code must be text")
    if isinstance(code, str) and code.strip() == "quit_blender":
        service.request_quit()
        return {"response": "OK", "message": "Shutdown requested by client."}
    if service.quitting:
        return refusal("this Blender is about to end")
    said: dict[str, Any] = {}
    if "message" in message:
        value = message["message"]
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) > MESSAGE_LIMIT:
            return refusal(f"message is longer than {MESSAGE_LIMIT} characters; send it as code")
        said = {"response": "OK", "message": f"Printed message: {text}"}
    if code is None:
        _put_print(service, text, Unattended())
        return said
    try:
        number = service.next_number()
        run = Run(number, "message", source_bytes(code), listener, **run_fields(message))
    except BadRun as error:
        return refusal(str(error))
    if said:
        _put_print(service, text, Unattended())
    service.queue.put(run)
    if not isinstance(listener, Unattended):
        return {}
    scheduled = {"response": "OK", "message": "Code execution scheduled."}
    return {**scheduled, "printed": said["message"]} if said else scheduled


def _put_print(service: Service, text: str, listener: Listener) -> None:
    """Have a text printed on the main thread, in the order of the messages."""
    code = f"print({text!a}, flush=True)"
    service.queue.put(Run(service.next_number(), "message", code.encode("ascii"), listener))
