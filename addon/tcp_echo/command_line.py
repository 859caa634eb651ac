# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's command line as a script finds it in `sys.argv`."""

from __future__ import annotations

import os
import sys

_LAUNCHER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "launcher.py")


def for_script(filename: str, args: tuple[str, ...]) -> list[str]:
    """Return what `sys.argv` is when Blender itself runs the script, with `-- ARGS` at its end."""
    argv = [*_options, "--python", filename]
    return [*argv, "--", *args] if args else argv


def _without_launcher(argv: list[str]) -> list[str]:
    """Return Blender's own options, without what starts the add-on and what follows a `--`."""
    options = argv[: argv.index("--")] if "--" in argv else list(argv)
    for at in range(len(options) - 1, 0, -1):
        if options[at - 1] in ("--python", "-P") and _is_launcher(options[at]):
            del options[at - 1 : at + 1]
    return options


def _is_launcher(path: str) -> bool:
    return os.path.normcase(os.path.abspath(path)) == os.path.normcase(_LAUNCHER)


# Read when the add-on is imported: a script may change sys.argv.
_options = _without_launcher(list(sys.argv) or [""])
