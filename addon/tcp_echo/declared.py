# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that Blender's data name: what File Output nodes write, and where images are saved.

Blender calls no handler for these files, and the names of some are made by Blender alone: it adds
the frame, the view and the extension. So a declaration is a folder and a pattern for names in it.
What the pattern finds belongs to a run when it was written during the run.
"""

from __future__ import annotations

import glob
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from . import locations

if TYPE_CHECKING:
    from collections.abc import Iterator

# Expressions such as {scene_name}, which paths may have since Blender 5.0.
_EXPRESSION = re.compile(r"\{+[^{}]*\}+")
# A number in the place of the last run of # in a name, which has as many digits or more.
_HASHES = re.compile(r"#+(?=[^#]*$)")
# What stands for the tile in the path of a tiled image.
_TILE = re.compile(r"<UDIM>|<UVTILE>")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Declared(NamedTuple):
    """Files in a folder, whose name the expression `name` matches as a whole."""

    folder: str
    name: str

    def files(self) -> Iterator[str]:
        """Return the paths of the files that are there."""
        folders = [self.folder]
        if _EXPRESSION.search(self.folder):
            parts = _EXPRESSION.split(self.folder)
            folders = glob.glob("*".join(map(glob.escape, parts)))
        name = re.compile(self.name, re.DOTALL)
        for folder in folders:
            try:
                entries = sorted(os.listdir(folder))
            except OSError:
                continue  # nothing was written there
            yield from (os.path.join(folder, e) for e in entries if name.fullmatch(e))


def of_render(scene: bpy.types.Scene) -> Iterator[Declared]:
    """Return what the rendering of a scene writes besides the file that Blender names.

    That is what its File Output nodes write, and the images of the single views.
    """
    views: list[str] = []
    if scene.render.use_multiview:
        views = [view.file_suffix for view in scene.render.views]
        yield _declared(scene.render.filepath, views)
    # The stubs know one version of Blender only.
    owner: Any = scene
    tree = getattr(owner, "compositing_node_group", None)  # since 5.0
    if tree is None:
        tree = getattr(owner, "node_tree", None)
    for node in _file_outputs(tree, set()):
        for path in _paths(node):
            yield _declared(path, views)


def of_images() -> Iterator[Declared | str]:
    """Return the path of each image in Blender's data, or a declaration where it has many files."""
    for image in bpy.data.images:
        if not image.filepath:
            continue
        path = locations.absolute(image.filepath, image.library)
        folder, name = os.path.split(path)
        many = _TILE if image.source == "TILED" else _LAST_NUMBER
        if image.source in ("TILED", "SEQUENCE") and many.search(name):
            before, after = many.split(name, maxsplit=1)
            yield Declared(folder, f"{re.escape(before)}[uv_0-9]+{re.escape(after)}")
        else:
            yield path


def _file_outputs(tree: Any, seen: set[Any]) -> Iterator[Any]:
    """Return the File Output nodes of a tree and of the groups in it."""
    if tree is None or tree in seen:
        return
    seen.add(tree)
    for node in tree.nodes:
        if node.bl_idname == "CompositorNodeOutputFile":
            yield node
        elif node.bl_idname == "CompositorNodeGroup":
            yield from _file_outputs(node.node_tree, seen)


def _paths(node: Any) -> Iterator[str]:
    """Return the paths that are set in a File Output node, one for each file of a frame."""
    if hasattr(node, "file_output_items"):  # since 5.0
        start = _within(node.directory, node.file_name)
        if node.format.media_type == "MULTI_LAYER_IMAGE":
            yield start
            return
        for item in node.file_output_items:
            yield start + item.name.replace("/", "_").replace("\\", "_")
    elif node.format.file_format == "OPEN_EXR_MULTILAYER":
        yield node.base_path
    else:
        for slot in node.file_slots:
            yield _within(node.base_path, slot.path)


def _within(folder: str, name: str) -> str:
    """Return the path of a name in a folder as Blender joins them.

    Python for Windows takes `//passes`, which is beside the .blend file, for a machine in the
    network, and puts nothing between `//passes` and an empty name.
    """
    if folder and not folder.endswith(("/", "\\")):
        folder += "/"
    return folder + name


def _declared(path: str, views: list[str]) -> Declared:
    """Return the files that Blender makes of a path that is set, with the suffixes of views.

    In the place of #, else at the end, comes the number of the frame, which 5.0 leaves out of a
    still. The suffix of the view comes before the first extension or before the last. An extension
    that is set is kept, or replaced.
    """
    folder, name = os.path.split(locations.absolute(path))
    view = f"(?:{'|'.join(map(re.escape, views))})?" if views else ""
    stem, extension = os.path.splitext(name)
    numbered = _HASHES.search(name) is not None
    number = "" if numbered else r"(?:-?\d{4,})?"
    kept = f"(?:{_with_number(extension)})?" if extension else ""
    return Declared(folder, rf"{_with_number(stem)}{view}{kept}{number}{view}(?:\.\w+)?")


def _with_number(text: str) -> str:
    """Return the expression for a part of a name with # and {…} in it."""
    marks = re.compile(f"({_HASHES.pattern}|{_EXPRESSION.pattern})")
    parts = marks.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.escape(part)
        else:
            parts[i] = r"-?\d+" if part.startswith("#") else ".*"
    return "".join(parts)
