# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what a .blend uses and renders, or makes copies of .blend files with relative paths.

The argument is an order in JSON; the answer is written into the file that the order names. Blender
itself lists the paths, so what this Blender would read is known, whatever the version.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Iterator

# Parts of a name that stand for a number: tiles of a texture.
_TILES = {"<UDIM>": r"\d{4}", "<UVTILE>": r"u\d+_v\d+"}


def main() -> None:
    with open(sys.argv[-1], encoding="utf-8") as file:
        order = json.load(file)
    if order["copies"]:
        answer: Any = {"stuck": [path for one in order["copies"] for path in copy(**one)]}
    else:
        answer = look(order)
    with open(order["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


def open_blend(path: str) -> None:
    """Open a .blend without running the scripts that are in it."""
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)


def copy(blend: str, to: str) -> list[str]:
    """Write a copy of a .blend with relative paths, and return the paths that are not relative."""
    open_blend(blend)
    bpy.ops.file.make_paths_relative()
    with open(blend, "rb") as file:
        packed = not file.read(7).startswith(b"BLENDER")
    bpy.ops.wm.save_as_mainfile(filepath=to, copy=True, relative_remap=False, compress=packed)
    return absolute_paths()


def absolute_paths() -> list[str]:
    """Return the paths that the open .blend itself has and that are not relative to it."""
    paths = bpy.utils.blend_paths(absolute=False, packed=False, local=True)
    return [path for path in paths if path and not path.startswith("//")]


def look(order: dict[str, Any]) -> dict[str, Any]:
    """Return what a .blend uses and what it renders."""
    open_blend(order["blend"])
    found = Found(os.path.dirname(order["blend"]))
    stored = bpy.utils.blend_paths(absolute=False, packed=False, local=False)
    for path in bpy.utils.blend_paths(absolute=True, packed=False, local=False):
        found.add(path)
    for directory in directories():
        found.add_all(directory)
    stem = os.path.splitext(os.path.basename(order["blend"]))[0]
    found.add_all(os.path.join(os.path.dirname(order["blend"]), "blendcache_" + stem))
    answer = {
        "files": sorted(found.files),
        "missing": sorted(found.missing - optional()),
        "absolute": [order["blend"]] if absolute_paths() else [],
        "version": bpy.app.version_string,
        **rendering(order),
    }
    if any(path and not path.startswith("//") for path in stored):
        libraries = {absolute(library.filepath) for library in bpy.data.libraries}
        for library in sorted(libraries & found.files):
            open_blend(library)
            if absolute_paths():
                answer["absolute"].append(library)
    return answer


def absolute(path: str, block: Any = None) -> str:
    """Return a path of a data-block as the system has it."""
    library = block.library if block is not None else None
    return os.path.normpath(os.path.abspath(bpy.path.abspath(path, library=library)))


class Found:
    """The files that a .blend uses."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._sequences = set(sequences())
        self.files: set[str] = set()
        self.missing: set[str] = set()

    def add(self, path: str) -> None:
        """Add the file of a path, or the files of a sequence, of tiles, or of a folder."""
        if not path:
            return
        path = os.path.normpath(os.path.abspath(path))
        names = list(siblings(path, path in self._sequences))
        if os.path.isdir(path):
            self.add_all(path)
        elif names:
            self.files.update(names)
        elif os.path.isfile(path):
            self.files.add(path)
        else:
            self.missing.add(path)

    def add_all(self, directory: str) -> None:
        """Add the files below a folder, unless it is the folder of the .blend or above it."""
        directory = os.path.normpath(directory)
        if os.path.join(self._own, "").startswith(os.path.join(directory, "")):
            return
        for folder, _, names in os.walk(directory):
            self.files.update(os.path.join(folder, name) for name in names)


def siblings(path: str, is_sequence: bool) -> Iterator[str]:
    """Yield the files of a sequence or of the tiles of a texture."""
    folder, name = os.path.split(path)
    pattern = re.escape(name)
    for tile, digits in _TILES.items():
        pattern = pattern.replace(re.escape(tile), digits)
    if is_sequence:
        stem, extension = os.path.splitext(name)
        if number := re.search(r"\d+$", stem):
            pattern = re.escape(stem[: number.start()]) + r"\d+" + re.escape(extension)
    if pattern == re.escape(name) or not os.path.isdir(folder):
        return
    for other in os.listdir(folder):
        if re.fullmatch(pattern, other):
            yield os.path.join(folder, other)


def sequences() -> Iterator[str]:
    """Yield the paths that stand for a sequence of files."""
    images: tuple[Any, ...] = (bpy.data.images, bpy.data.movieclips)
    caches: tuple[Any, ...] = (bpy.data.volumes, bpy.data.cache_files)
    for block in (block for blocks in images for block in blocks):
        if block.source == "SEQUENCE":
            yield absolute(block.filepath, block)
    for block in (block for blocks in caches for block in blocks):
        if block.is_sequence:
            yield absolute(block.filepath, block)


def directories() -> Iterator[str]:
    """Yield the folders of caches that Blender does not list."""
    for item in bpy.data.objects:
        caches: list[Any] = [system.point_cache for system in item.particle_systems]
        for modifier in item.modifiers:
            caches.append(getattr(modifier, "point_cache", None))
            paths = [
                getattr(modifier, name, "")
                for name in ("simulation_bake_directory", "bake_directory")
            ]
            paths += [getattr(bake, "directory", "") for bake in getattr(modifier, "bakes", ())]
            for path in paths:
                if path:
                    yield absolute(path, item)
        for cache in caches:
            if cache is not None and cache.use_external and cache.filepath:
                yield absolute(cache.filepath, item)


def optional() -> set[str]:
    """Return paths that may lead nowhere: texts are in the .blend, and a cache need not be made."""
    found = {absolute(text.filepath, text) for text in bpy.data.texts if text.filepath}
    for item in bpy.data.objects:
        for modifier in item.modifiers:
            settings = getattr(modifier, "domain_settings", None)
            if settings is not None:
                found.add(absolute(settings.cache_directory, item))
    return found


def rendering(order: dict[str, Any]) -> dict[str, Any]:
    """Return what the scene renders: the wanted frames, with the names of their pictures."""
    scene: Any = bpy.context.scene
    render = scene.render
    path = order["output"] or render.filepath
    name = re.split(r"[/\\]", path)[-1]
    folder = os.path.dirname(absolute(path)) if name else absolute(path)
    render.filepath = os.path.join(os.path.abspath(os.sep), name)
    numbers: dict[int, None] = {}
    rows = order["frames"] or [[scene.frame_start, scene.frame_end, scene.frame_step]]
    for first, last, step in rows:
        numbers.update(dict.fromkeys(range(number(scene, first), number(scene, last) + 1, step)))
    return {
        "movie": render.is_movie_format,
        "folder": folder,
        "name": name,
        "frames": [{"number": n, "pictures": list(pictures(render, n))} for n in numbers],
    }


def pictures(render: Any, frame: int) -> Iterator[str]:
    """Yield the names of the pictures of a frame."""
    name = os.path.basename(render.frame_path(frame=frame))
    if not render.use_multiview or render.image_settings.views_format != "INDIVIDUAL":
        yield name
        return
    stem, extension = os.path.splitext(name)
    stereo = render.views_format == "STEREO_3D"
    for view in render.views:
        if view.use and (view.name in ("left", "right") or not stereo):
            yield f"{stem}{view.file_suffix}{extension}"


def number(scene: Any, end: int | str) -> int:
    """Return the frame that an end means, as Blender's own command line has it."""
    if isinstance(end, int):
        return end
    if end.startswith("+"):
        return int(scene.frame_start) + int(end)
    return int(scene.frame_end) + int(end) + 1


main()
