# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Blender's Python module (bpy) like the program `blender`, with the options of the tests.

The module is a real Blender without a window. Only the program that reads the command line is
missing in it, and this script replaces that program.

    python bpy_blender.py --background --factory-startup --python launcher.py -- --supervised
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import gc
import os
import sys
import threading
import types
from typing import Any


def _print_version() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print("Blender", version("bpy"))
    except PackageNotFoundError:  # bpy is a stand-in
        import bpy

        print("Blender", bpy.app.version_string)


def main(arguments: list[str]) -> None:
    if "--version" in arguments or "-v" in arguments:
        _print_version()
        return
    scripts: list[tuple[str, str]] = []
    addons: list[str] = []
    # What is rendered after the scripts: frames, or "" for those of the scene; and "-F FORMAT".
    renders: list[str] = []
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
        elif option in ("-f", "-a"):
            at += option == "-f"
            renders.append(arguments[at] if option == "-f" else "")
        elif option in ("-F", "--render-format"):
            at += 1
            renders.append("-F " + arguments[at])
        elif option.endswith(".blend"):
            opened = option
        elif option not in ("--background", "-b", "--factory-startup", "-noaudio"):
            sys.exit(f"bpy_blender: {option} is not known here")
        at += 1
    _name_python(arguments)
    import bpy

    if addons:
        import addon_utils  # bpy puts it on sys.path

        for module in addons:
            addon_utils.enable(module)
    if opened:
        bpy.ops.wm.open_mainfile(filepath=os.path.abspath(opened))
    namespace = vars(_main_module())
    for option, script in scripts:
        try:
            _execute(option, script, namespace)
        except Exception as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                error.__traceback__ = error.__traceback__.tb_next.tb_next  # without own frames
            sys.excepthook(type(error), error, error.__traceback__)
            if exit_code:
                _end(exit_code)
    _render_all(bpy, renders)
    print("\nBlender quit", flush=True)


def _name_python(arguments: list[str]) -> None:
    """Set what Blender tells scripts of its command line and of its Python."""
    sys.argv = ["blender", *arguments]
    if os.name == "nt":
        # There Blender itself is the program that runs, and its Python lies beside Blender, with
        # its modules behind Python's own.
        sys.executable = os.path.join(sys.base_prefix, "python.exe")
        modules = os.environ.pop("PYTHONPATH")
        sys.path.remove(modules)
        sys.path.append(modules)


# The module that scripts are executed in, and this module, which that one stands in for.
_script: types.ModuleType | None = None
_own = sys.modules["__main__"]


def _main_module() -> types.ModuleType:
    global _script
    _script = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(_script)["__builtins__"] = vars(builtins)
    return _script


def _execute(option: str, script: str, namespace: dict[str, Any]) -> None:
    if option == "--python-expr":
        exec(compile(script, "<string>", "exec"), namespace)
        return
    namespace["__file__"] = os.path.abspath(script)
    with open(script, "rb") as file:
        source = file.read()
    exec(compile(source, script, "exec"), namespace)


# What Blender's command line calls by another name than its Python.
_FORMATS = {
    "TGA": "TARGA",
    "RAWTGA": "TARGA_RAW",
    "EXR": "OPEN_EXR",
    "MULTILAYER": "OPEN_EXR_MULTILAYER",
}


def _set_format(settings: Any, name: str) -> None:
    wanted = _FORMATS.get(name, name)
    if hasattr(settings, "media_type"):  # from 5.0 on it says which formats there are
        several = wanted == "OPEN_EXR_MULTILAYER"
        settings.media_type = "MULTI_LAYER_IMAGE" if several else "IMAGE"
    settings.file_format = wanted


def _render_all(bpy: Any, renders: list[str]) -> None:
    for frames in renders:
        if frames.startswith("-F "):
            _set_format(bpy.context.scene.render.image_settings, frames[3:])
        else:
            _render(bpy, frames)


def _render(bpy: Any, frames: str) -> None:
    """Render frames such as "1,3..5,+2,-1" each by itself, or with "" those of the scene."""
    scene = bpy.context.scene
    start, end, step = scene.frame_start, scene.frame_end, scene.frame_step
    if not frames:
        bpy.ops.render.render(animation=True)
        return

    def number(text: str) -> int:
        ends: dict[str, int] = {"+": start, "-": end + 1}
        return int(text) + ends.get(text[0], 0)

    for part in frames.split(","):
        first, _, last = part.partition("..")
        for frame in range(number(first), number(last or first) + 1):
            scene.frame_start, scene.frame_end = frame, frame
            scene.frame_start, scene.frame_step = frame, 1
            bpy.ops.render.render(animation=True)
    scene.frame_start, scene.frame_end, scene.frame_step = start, end, step


def _end(code: int) -> None:
    """End the process as the program does: the module can hang when Python shuts down."""
    threading._shutdown()  # type: ignore[attr-defined]  # not public
    atexit._run_exitfuncs()
    if _script is not None:
        vars(_script).clear()
        gc.collect()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a script has closed it
            stream.flush()
    if sys.platform == "win32":
        # Without the end of the libraries: the module's own tells of memory that Blender, the
        # program, leaves to the system.
        ctypes.CDLL("ucrtbase").fflush(None)
        ctypes.windll.kernel32.TerminateProcess(ctypes.c_void_p(-1), code & 0xFFFFFFFF)
    ctypes.CDLL(None).fflush(None)
    os._exit(code)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SystemExit as request:
        if isinstance(request.code, str):
            print(request.code, file=sys.stderr)
        _end(request.code if isinstance(request.code, int) else 0 if request.code is None else 1)
    _end(0)
