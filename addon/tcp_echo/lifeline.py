# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's end of standard input: when it closes, this Blender ends."""

from __future__ import annotations

import json
import os
import threading
import time

# How long a script may take to end after that, in seconds.
_GRACE = 0.2


def read_first_line(descriptor: int) -> dict:
    """Read the supervisor's one line; raises ValueError when it is none."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 4096)
        if not piece:
            raise ValueError("standard input ended before the first line was complete")
        line += piece
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("the first line of standard input is not a JSON object")
    return message


def watch(descriptor: int, request_quit) -> None:
    """Call `request_quit` when the pipe ends, and end the process soon after."""

    def wait_for_end() -> None:
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            pass  # as good as its end
        request_quit()
        time.sleep(_GRACE)
        os._exit(0)

    threading.Thread(target=wait_for_end, name="tcp_echo lifeline", daemon=True).start()
