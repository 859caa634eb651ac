# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves and opens the scene of a session, and goes back to a copy of the scene: a checkpoint.

A checkpoint is a .blend and, beside it, a note of what a .blend can't hold.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import bpy

from . import looks, outputs
from .scene import SceneError, error_text, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

# These belong to the window and its tools and not to the scene. A checkpoint leaves them alone.
_OF_THE_WINDOW = ("screens", "window_managers", "workspaces")
# Where a Main of Blender has its path, and the size of the path, in bytes: two pointers come first.
_PATH_OFFSET = 2 * ctypes.sizeof(ctypes.c_void_p)
_PATH_SIZE = 1024


def perform() -> None:
    """Do what the arguments of the run say: the name of a function below, and the path of a file.

    The engine calls this. Raises SceneError when it can't be done; then the scene is as before.
    """
    name, path = sys.argv[-2:]
    {"save": save, "open": open_file, "checkpoint": make, "undo": go_back}[name](path)


def save(path: str) -> None:
    """Save a copy of the scene as a .blend, which is there as a whole or not at all."""
    path = os.path.realpath(path)  # a link stays a link
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise SceneError(f"there is no folder {folder}")
    if os.path.isdir(path):
        raise SceneError(f"{path} is a folder")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise SceneError(f"{path} can't be written: you have no right to")
    try:
        beside = tempfile.mkdtemp(prefix=".blendtray-", dir=folder)
    except OSError as error:
        raise SceneError(f"{folder} can't be written: {error.strerror}") from None
    try:
        # The copy is written in the folder itself, so that its relative paths are right.
        part = f"{beside}.blend"
        try:
            _write(part, relative_remap=True)
            if os.path.exists(path):
                shutil.copymode(path, part)
            os.replace(part, path)
        except OSError as error:
            raise SceneError(f"{path} can't be written: {error.strerror}") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(part)
    finally:
        os.rmdir(beside)
    outputs.collector.add(path)


def _write(path: str, relative_remap: bool) -> None:
    try:
        bpy.ops.wm.save_as_mainfile(
            filepath=path, copy=True, compress=False, check_existing=False,
            relative_remap=relative_remap,
        )  # fmt: skip
    except RuntimeError as error:
        raise SceneError(f"the scene can't be saved: {error_text(error)}") from None


def make(path: str) -> None:
    """Write a checkpoint; the scene stays as it is."""
    window: Any = bpy.context.window
    note: dict[str, Any] = {
        "file": bpy.data.filepath,
        "layer": window.view_layer.name if window else "",
        "marks": looks.marks(),
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(_handlers_put_away())
        # A .blend does not get what nothing uses.
        unused = [(kind, block) for kind, block in _blocks() if block.users == 0]
        note["unused"] = []
        for kind, block in unused:
            with contextlib.suppress(AttributeError, RuntimeError):  # a kind that can't be kept
                block.use_fake_user = True
                stack.callback(setattr, block, "use_fake_user", False)
                note["unused"].append([kind, block.name, _library(block)])
        # Blender looks for libraries while it reads the copy, which lies elsewhere.
        note["libraries"] = []
        for library in bpy.data.libraries:
            if library.filepath.startswith("//"):
                note["libraries"].append([library.name, library.filepath])
                stack.callback(setattr, library, "filepath", library.filepath)
                library.filepath = bpy.path.abspath(library.filepath)
        note["pixels"] = _write_pixels(f"{path}.pixels")
        _write(path, relative_remap=False)
    with open(f"{path}.json", "w", encoding="utf-8", errors="surrogateescape") as file:
        json.dump(note, file)


def go_back(path: str) -> None:
    """Make the scene what it was when a checkpoint was made.

    Handlers and what drivers may call stay as they are now, as do modules and names.
    """
    try:
        with open(f"{path}.json", encoding="utf-8", errors="surrogateescape") as file:
            note = json.load(file)
    except (OSError, ValueError) as error:
        raise SceneError(f"the checkpoint can't be read: {error}") from None
    if not os.path.isfile(path):
        raise SceneError(f"the checkpoint is gone: there is no file {path}")
    if not _has_pixels(f"{path}.pixels", note["pixels"]):
        raise SceneError(f"the checkpoint is not whole: the pixels in {path}.pixels are missing")
    names = dict(bpy.app.driver_namespace)

    @bpy.app.handlers.persistent
    def put_back(*_args: object) -> None:
        # Blender calls this before it evaluates the scene, which reads files and calls drivers.
        if not _set_file(note["file"]):
            print(
                "this Blender does not let the name of its file be put back: relative paths "
                f"(//) mean something else now; the file was {note['file'] or 'not saved yet'}"
            )
        for name, value in names.items():
            bpy.app.driver_namespace.setdefault(name, value)
        _put_back_paths(note)
        _put_back_unused(note)

    with _handlers_put_away():
        bpy.app.handlers.load_post.append(put_back)
        open_file(path, load_ui=False)
    try:
        _put_back_pixels(f"{path}.pixels", note["pixels"])
    except (OSError, EOFError, MemoryError) as error:  # the scene is back, and stays
        print(f"the pixels of images that were never saved can't be put back: {error!r}")
    window: Any = bpy.context.window
    layer = window and window.scene.view_layers.get(note["layer"])
    if layer:
        window.view_layer = layer


@contextlib.contextmanager
def _handlers_put_away() -> Iterator[None]:
    """Take away all handlers and put them back: nothing that scripts know of happens meanwhile."""
    lists = [
        (handlers, list(handlers))
        for handlers in map(bpy.app.handlers.__getattribute__, dir(bpy.app.handlers))
        if isinstance(handlers, list)
    ]
    for handlers, _ in lists:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, before in lists:
            handlers[:] = before


def _blocks() -> Iterator[tuple[str, Any]]:
    """Yield all data-blocks, each with the name of its collection in bpy.data."""
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION" and prop.identifier not in _OF_THE_WINDOW:
            for block in getattr(bpy.data, prop.identifier):
                yield prop.identifier, block


def _library(block: Any) -> str | None:
    return block.library.name if block.library else None


def _put_back_paths(note: dict[str, Any]) -> None:
    for name, path in note["libraries"]:
        library = bpy.data.libraries.get(name)
        if library is not None:
            library.filepath = path


def _put_back_unused(note: dict[str, Any]) -> None:
    unused = {tuple(entry) for entry in note["unused"]}
    for kind, block in _blocks() if unused else ():
        if (kind, block.name, _library(block)) in unused:
            block.use_fake_user = False


def _write_pixels(path: str) -> list[list[Any]]:
    """Write the pixels of the images that a .blend would lose, and return whose they are."""
    images = [
        image
        for image in bpy.data.images
        if image.is_dirty and image.library is None and image.type in ("IMAGE", "UV_TEST")
    ]
    written: list[list[Any]] = []
    if not images:
        return written
    with open(path, "wb") as file:
        for image in images:
            pixels: Any = image.pixels
            count = len(pixels)
            values = array.array("f", bytes(4 * count))
            pixels.foreach_get(values)
            values.tofile(file)
            written.append([image.name, count])
    return written


def _has_pixels(path: str, written: list[list[Any]]) -> bool:
    """Return whether the file has as many pixels as were written."""
    if not written:
        return True
    try:
        count = sum(int(n) for _, n in written)
        return os.path.getsize(path) == array.array("f").itemsize * count
    except OSError:
        return False


def _put_back_pixels(path: str, written: list[list[Any]]) -> None:
    if not written:
        return
    with open(path, "rb") as file:
        for name, count in written:
            values = array.array("f")
            values.fromfile(file, count)
            image = bpy.data.images.get(name)
            pixels: Any = image.pixels if image is not None else ()
            if image is not None and len(pixels) == count:
                pixels.foreach_set(values)
                image.update()


def _set_file(path: str) -> bool:
    """Set bpy.data.filepath, which Blender lets no script set; returns false when it can't be."""
    if bpy.data.filepath == path:
        return True
    try:
        field = (ctypes.c_char * _PATH_SIZE).from_address(bpy.data.as_pointer() + _PATH_OFFSET)
        if field.value != os.fsencode(bpy.data.filepath):
            return False  # a newer Blender has its path elsewhere
        field.value = os.fsencode(path)
    except (AttributeError, ValueError):
        return False
    return bpy.data.filepath == path
