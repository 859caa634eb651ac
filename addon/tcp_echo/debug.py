# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a run wait for a debugger before its first line. debugpy, from PyPI, does the debugging."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from .stdio import say

if TYPE_CHECKING:
    from .runs import Run


class DebugError(Exception):
    """The debugger can't be started."""


# Python then prints no module before the name.
DebugError.__module__ = "builtins"

# debugpy without compiled parts, which any Blender's Python can use.
_INSTALL = (
    'python3 -m pip install --target "{}" --implementation py --abi none --platform any '
    "--only-binary=:all: --no-deps debugpy"
)


def wait(run: Run) -> None:
    """Wait until a debugger is attached, when the run asks for it; raises DebugError.

    debugpy is taken from Blender's Python, else from the folder that the run names.
    """
    if run.debug is None:
        return
    if run.debug:
        sys.path.append(run.debug)
    # It would warn that modules of Python are frozen, and stop nowhere in them.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        debugpy: Any = importlib.import_module("debugpy")
    except ImportError as error:
        raise DebugError(
            f"debugpy is not there ({error}); this installs it:\n{_INSTALL.format(run.debug)}"
        ) from None
    try:
        host, port = debugpy.listen(("127.0.0.1", 0))
    except Exception as error:
        raise DebugError(f"debugpy does not start: {error}") from None
    _tell(host, port)
    debugpy.wait_for_client()
    say("a debugger is attached")


def _tell(host: str, port: int) -> None:
    """Say how editors attach."""
    attach = {
        "name": "Blendtray",
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": host, "port": port},
        "justMyCode": True,
    }
    say(f"waits for a debugger on {host}:{port}. Set a breakpoint in your editor and attach:")
    say("VS Code, in .vscode/launch.json, then Run, Start Debugging:")
    text = json.dumps({"version": "0.2.0", "configurations": [attach]}, indent=4)
    print(text, file=sys.stderr)
    say("PyCharm, from 2025.3: Run, Edit Configurations, Add New Configuration, Attach to DAP, and")
    say(f"there as the remote address {host}, port {port}; then Run, Debug.")
    say("Any program on this machine may attach there, until the run has ended.")
    sys.stderr.flush()
