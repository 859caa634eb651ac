# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Blender's Python module (bpy) like the program `blender`, with the options of the tests.

The module is a real Blender without a window. Only the program that reads the command line is
missing in it, and this script replaces that program.

    python bpy_blender.py --background --factory-startup --python launcher.py -- --supervised
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import types


def main(arguments: list[str]) -> None:
    if "--version" in arguments or "-v" in arguments:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print("Blender", version("bpy"))
        except PackageNotFoundError:  # bpy is a stand-in
            import bpy

            print("Blender", bpy.app.version_string)
        return
    scripts = []
    addons = []
    exit_code = 0
    opened = ""
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        option = arguments[at]
        if option in ("--python", "-P", "--python-expr"):
            at += 1
            scripts.append((option, arguments[at]))
        elif option == "--addons":
            at += 1
            addons += arguments[at].split(",")
        elif option == "--python-exit-code":
            at += 1
            exit_code = int(arguments[at])
        elif option.endswith(".blend"):
            opened = option
        elif option not in ("--background", "-b", "--factory-startup"):
            sys.exit(f"bpy_blender: {option} is not known here")
        at += 1
    sys.argv = ["blender", *arguments]
    import bpy

    if addons:
        import addon_utils  # bpy puts it on sys.path

        for module in addons:
            addon_utils.enable(module)
    if opened:
        bpy.ops.wm.open_mainfile(filepath=os.path.abspath(opened))
    namespace = vars(sys.modules["__main__"])
    for option, script in scripts:
        try:
            if option == "--python-expr":
                exec(compile(script, "<string>", "exec"), namespace)
            else:
                namespace["__file__"] = os.path.abspath(script)
                with open(script, "rb") as file:
                    exec(compile(file.read(), script, "exec"), namespace)
        except Exception as error:
            sys.excepthook(type(error), error, _without_own_frame(error))
            if exit_code:
                sys.stdout.flush()
                os._exit(exit_code)
    print("\nBlender quit", flush=True)


def _without_own_frame(error: Exception) -> types.TracebackType | None:
    return error.__traceback__.tb_next if error.__traceback__ is not None else None


def _end(code: int) -> None:
    """End the process as the program does: the module can hang when Python shuts down."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a script has closed it
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SystemExit as request:
        if isinstance(request.code, str):
            print(request.code, file=sys.stderr)
        _end(request.code if isinstance(request.code, int) else 0 if request.code is None else 1)
    _end(0)
