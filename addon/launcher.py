# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a background Blender into a server for scripts.

    BLENDER_HTTP_ECHO_PORT=23333 blender --background --python launcher.py

Ends when a client sends `quit_blender`, or on SIGTERM, with exit code 0.
"""

import os
import sys
import types

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _import_launch() -> types.ModuleType:
    # Import the tcp_echo beside this file, even if another tcp_echo is enabled as an add-on.
    for name in [name for name in sys.modules if name.split(".")[0] == "tcp_echo"]:
        if name == "tcp_echo":
            sys.modules[name].unregister()
        del sys.modules[name]
    leaves_none = sys.dont_write_bytecode
    # Without a folder of its own for them, compiled files would lie among these.
    sys.dont_write_bytecode = leaves_none or sys.pycache_prefix is None
    sys.path.insert(0, _FOLDER)
    try:
        from tcp_echo import launch
    finally:
        sys.path.remove(_FOLDER)
        sys.dont_write_bytecode = leaves_none
    return launch


if __name__ == "__main__":
    _import_launch().main(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else [])
