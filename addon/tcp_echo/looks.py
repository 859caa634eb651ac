# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the scene of a session for a program that can't see it, and changes nothing.

What a look returns is plain data: what there is in the scene, what one thing of it is like, or
where a picture was saved.
"""

from __future__ import annotations

import array
import hashlib
import json
import math
import os
import re
import sys
import tempfile
from typing import Any

import bpy

from . import outputs, preview
from .scene import SceneError

# How many objects, properties or items an answer has at most, where the request does not say so.
_MOST = 50
_MOST_ALLOWED = 1000
# How many missing files and changed names are listed, and of how many objects marks are taken.
_MOST_NAMES = 100
_MOST_MARKED = 20_000
# Of which kinds of data programs may compare marks, and what says nothing of what there is.
_MARKED = ("objects", "meshes", "materials", "collections", "cameras", "lights", "images", "scenes",
           "worlds", "actions")  # fmt: skip
_BOOKS = {"tag", "use_fake_user", "use_extra_user"}
# How long a text may be, and how many numbers an array may have.
_TEXT = 300
_NUMBERS = 64

# These belong to the window, and say nothing of a scene.
_OF_THE_WINDOW = {"screens", "window_managers", "workspaces", "brushes", "palettes", "paint_curves"}
_LINK = re.compile(r"\.?(?P<name>[^\W\d]\w*)|\[\s*(?P<key>\"[^\"]*\"|'[^']*'|-?\d+)\s*\]")


def perform() -> Any:
    """Return what the request says that the arguments of the run have, as JSON.

    The second argument is the file of the last checkpoint, or "". The engine calls this. Raises
    SceneError when there is no such thing.
    """
    text, checkpoint = sys.argv[-2:]
    request: dict[str, Any] = json.loads(text)
    what = request.get("what")
    if what == "summary":
        return summary(request.get("from", 0), request.get("n") or _MOST, checkpoint)
    if what == "marks":
        return all_marks()
    if what == "inspect":
        return inspect(request.get("path", ""), request.get("from", 0), request.get("n") or _MOST)
    return picture(request)


def _number(value: float) -> float | str:
    """Return a number that JSON knows: others, such as NaN, as text."""
    return float(f"{value:.5g}") if math.isfinite(value) else str(value)


def _numbers(values: Any) -> list[float | str]:
    return [_number(value) for value in values]


def _names(values: Any) -> list[str]:
    return [value.name for value in values if value is not None]


def summary(first: int, most: int, checkpoint: str) -> dict[str, Any]:
    """Return what there is in the scene, with `most` of its objects from the number `first` on."""
    most = min(most, _MOST_ALLOWED)
    # `scene` is Any because the stubs know one version of Blender.
    scene: Any = bpy.context.scene
    layer: Any = bpy.context.view_layer
    if scene is None or layer is None:
        raise SceneError("there is no scene")
    objects = sorted(scene.objects, key=lambda ob: ob.name)
    render, units = scene.render, scene.unit_settings
    scale = render.resolution_percentage / 100
    found: dict[str, Any] = {
        "blender": bpy.app.version_string,
        "file": bpy.data.filepath,
        "scene": scene.name,
        "scenes": _names(bpy.data.scenes),
        "camera": scene.camera.name if scene.camera else None,
        "active": layer.objects.active.name if layer.objects.active else None,
        "mode": bpy.context.mode,
        "frame": [scene.frame_current, scene.frame_start, scene.frame_end],
        "fps": _number(render.fps / render.fps_base),
        "engine": render.engine,
        "resolution": [int(render.resolution_x * scale), int(render.resolution_y * scale)],
        "units": {
            "system": units.system,
            "length": units.length_unit,
            "scale": _number(units.scale_length),
        },
        "counts": {
            kind: len(getattr(bpy.data, kind))
            for kind in _kinds()
            if len(getattr(bpy.data, kind)) > 0
        },
        "collections": _collection(scene.collection, layer.layer_collection, 0),
        "objects": [_object(ob) for ob in objects[first : first + most]],
        "objects_total": len(objects),
        "missing": _missing(),
        "changed": _changes(checkpoint),
    }
    if first + most < len(objects):
        found["next"] = first + most
    return found


def _kinds() -> list[str]:
    return [
        prop.identifier
        for prop in bpy.data.bl_rna.properties
        if prop.type == "COLLECTION" and prop.identifier not in _OF_THE_WINDOW
    ]


def _collection(collection: Any, layer: Any, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"name": collection.name, "objects": len(collection.objects)}
    if layer is not None and (layer.exclude or layer.hide_viewport or collection.hide_viewport):
        found["hidden"] = True
    children = list(collection.children)
    if children and depth < 8:
        layers = layer.children if layer is not None else {}
        found["children"] = [
            _collection(child, layers.get(child.name), depth + 1)
            for child in children[:_MOST_NAMES]
        ]
    return found


def _object(ob: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": ob.name,
        "type": ob.type,
        "location": _numbers(ob.matrix_world.translation),
        "dimensions": _numbers(ob.dimensions),
    }
    collections = _names(ob.users_collection)
    if collections:
        found["collection"] = collections[0]
    if ob.parent:
        found["parent"] = ob.parent.name
    if ob.type == "MESH":
        found["vertices"], found["faces"] = len(ob.data.vertices), len(ob.data.polygons)
    materials = _names(slot.material for slot in ob.material_slots)
    if materials:
        found["materials"] = materials
    if ob.modifiers:
        found["modifiers"] = [f"{modifier.name} ({modifier.type})" for modifier in ob.modifiers]
    if ob.hide_render or ob.hide_viewport or ob.hide_get():
        found["hidden"] = True
    return found


def _missing() -> list[str]:
    """Return the files that the scene names and that are not there."""
    missing: set[str] = set()
    for kind in ("images", "libraries", "sounds", "fonts", "movieclips", "cache_files", "volumes"):
        for block in getattr(bpy.data, kind, ()):
            path = getattr(block, "filepath", "")
            if not path or path.startswith("<") or getattr(block, "packed_file", None):
                continue
            if getattr(block, "source", "FILE") not in ("FILE", "MOVIE"):
                continue
            whole = bpy.path.abspath(path, library=block.library)
            if not os.path.exists(whole):
                missing.add(whole)
    return sorted(missing)[:_MOST_NAMES]


def marks() -> dict[str, str] | None:
    """Return for each object, material and light a text that differs when it looks different.

    A checkpoint keeps them. Where there are too many, the answer is None.
    """
    if len(bpy.data.objects) > _MOST_MARKED:
        return None
    found = {f"object {ob.name}": _mark([_seen(ob), _shape(ob)]) for ob in bpy.data.objects}
    for kind, blocks in (("material", bpy.data.materials), ("light", bpy.data.lights)):
        for block in blocks:
            found[f"{kind} {block.name}"] = _mark(_seen(block))
    return found


def all_marks() -> dict[str, dict[str, str]]:
    """Return for each kind of data the names, each with a text that differs when the data does."""
    return {
        kind: {block.name_full: _mark(_seen(block)) for block in getattr(bpy.data, kind)}
        for kind in _MARKED
    }


def _seen(block: Any) -> Any:
    """Return what a person sees of a data-block, without what is counted about it."""
    kind = block.bl_rna.identifier
    if kind == "Object":
        return [
            _numbers(value for row in block.matrix_basis for value in row),
            block.data.name if block.data else "",
            _names(slot.material for slot in block.material_slots),
            [(modifier.name, modifier.type) for modifier in block.modifiers],
            block.parent.name if block.parent else "",
            [block.hide_render, block.hide_viewport],
            _names(block.users_collection),
        ]
    if kind == "Mesh":
        corners = _sum(block.vertices, 3 * len(block.vertices), "co")
        return [corners, len(block.vertices), len(block.edges), len(block.polygons)]
    known = block.bl_rna.properties
    seen = {
        name: value
        for name, value in _plain(block).items()
        if not known[name].is_readonly and name not in _BOOKS
    }
    tree: Any = getattr(block, "node_tree", None)
    if tree is not None:
        seen["nodes"] = [
            (node.name, node.bl_idname, [_socket(s) for s in node.inputs]) for node in tree.nodes
        ]
        seen["links"] = [_link(link) for link in tree.links]
    if kind == "Image" and block.is_dirty:
        seen["pixels"] = _sum(block.pixels, len(block.pixels))
    return seen


def _shape(ob: Any) -> list[Any]:
    if ob.type != "MESH":
        return []
    corners = [_numbers(corner) for corner in ob.bound_box]
    return [len(ob.data.vertices), len(ob.data.polygons), corners]


def _sum(values: Any, count: int, *attribute: str) -> str:
    """Return a text for so many numbers of a collection or an array of Blender."""
    numbers = array.array("f", bytes(4 * count))
    values.foreach_get(*attribute, numbers)
    return hashlib.blake2b(numbers, digest_size=8).hexdigest()


def _mark(value: object) -> str:
    return hashlib.blake2b(repr(value).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _changes(checkpoint: str) -> dict[str, list[str]] | None:
    """Return what was added, removed and changed since a checkpoint, or None where nobody knows."""
    try:
        with open(f"{checkpoint}.json", encoding="utf-8", errors="surrogateescape") as file:
            before = json.load(file).get("marks")
    except (OSError, ValueError):
        return None
    now = marks()
    if before is None or now is None:
        return None
    return {
        "added": sorted(now.keys() - before.keys())[:_MOST_NAMES],
        "removed": sorted(before.keys() - now.keys())[:_MOST_NAMES],
        "changed": sorted(n for n in now.keys() & before.keys() if now[n] != before[n])[
            :_MOST_NAMES
        ],
    }


def inspect(path: str, first: int, most: int) -> dict[str, Any]:
    """Return what a path of RNA leads to. No code of the path is executed.

    Of data it is the properties that differ from their default, of a node tree its nodes and
    links, and of a collection `most` of its items from the number `first` on.
    """
    most = min(most, _MOST_ALLOWED)
    value = _follow(path)
    if isinstance(value, bpy.types.bpy_struct):
        return {"path": path, **_struct(value)}
    if isinstance(value, bpy.types.bpy_prop_collection):
        items = [_label(item) for item in value[first : first + most]]
        found: dict[str, Any] = {"path": path, "type": "collection", "total": len(value)}
        found["items"] = items
        if first + most < len(value):
            found["next"] = first + most
        return found
    return {"path": path, "type": type(value).__name__, "value": _value(value)}


def _follow(path: str) -> Any:
    text = path.strip()
    for begin, root in (("bpy.data", bpy.data), ("bpy.context", bpy.context)):
        for alias in (begin, begin[4:], begin[4].upper()):
            rest = text[len(alias) :]
            if text.startswith(alias) and (not rest or rest[0] in ".["):
                return _walk(root, rest, text)
    if re.match(r"[^\W\d]\w*[.\[]|[^\W\d]\w*$", text) and hasattr(bpy.data, text.split("[")[0]):
        return _walk(bpy.data, "." + text, text)
    example = 'bpy.data.objects["Cube"]'
    raise SceneError(f"{path!r} does not begin with bpy.data or bpy.context, as {example} does")


def _walk(value: Any, rest: str, whole: str) -> Any:
    at = 0
    while at < len(rest):
        link = _LINK.match(rest, at)
        if link is None:
            raise SceneError(f"{whole!r} is no path of names and keys: {rest[at:]!r}")
        at = link.end()
        value = _step(value, link["name"], link["key"], whole)
    return value


def _step(value: Any, name: str | None, key: str | None, whole: str) -> Any:
    if name is not None:
        known = getattr(getattr(value, "bl_rna", None), "properties", ())
        if value is not bpy.context and name not in known and value is not bpy.data:
            near = [n for n in _all_names(value) if name.lower() in n.lower()][:8]
            hint = f"; there is {', '.join(near)}" if near else ""
            raise SceneError(f"{whole!r}: {_label(value)} has no {name}{hint}")
        try:
            found = getattr(value, name)
        except AttributeError:
            raise SceneError(f"{whole!r}: there is no {name} here") from None
        if callable(found) and not isinstance(found, bpy.types.bpy_struct):
            raise SceneError(f"{whole!r}: {name} is a function, and nothing is called")
        if found is None:
            raise SceneError(f"{whole!r}: {name} is None")
        return found
    assert key is not None
    index: int | str = key[1:-1] if key[0] in "\"'" else int(key)
    try:
        return value[index]
    except (KeyError, IndexError, TypeError) as error:
        names = [_label(item) for item in list(value)[:20]] if hasattr(value, "keys") else []
        hint = f"; there is {', '.join(names)}" if names else ""
        raise SceneError(f"{whole!r}: {error}{hint}") from None


def _all_names(value: Any) -> list[str]:
    return [p.identifier for p in value.bl_rna.properties] if hasattr(value, "bl_rna") else []


def _label(value: Any) -> str:
    name = getattr(value, "name", None)
    if isinstance(name, str) and name:
        return name
    rna = getattr(value, "bl_rna", None)
    return rna.identifier if rna is not None else type(value).__name__


def _value(value: Any) -> Any:
    """Return a value as plain data, not too long."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return value if len(value) <= _TEXT else value[:_TEXT] + "…"
    if isinstance(value, bpy.types.bpy_struct):
        return _label(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        parts = [_value(part) for part in list(value)[:_NUMBERS]]
        return [*parts, "…"] if len(value) > _NUMBERS else parts
    return str(value)[:_TEXT]


def _plain(value: Any, all_of_it: bool = False) -> dict[str, Any]:
    """Return the properties with plain values, by default those that differ from their default."""
    found: dict[str, Any] = {}
    for prop in value.bl_rna.properties:
        name = prop.identifier
        if prop.type in ("POINTER", "COLLECTION") or name.startswith("bl_"):
            continue
        if name in ("name", "pixels"):  # of an image there are millions
            continue
        try:
            now = getattr(value, name)
        except (AttributeError, TypeError, ValueError):
            continue
        if all_of_it or not _is_default(prop, now):
            found[name] = _value(now)
    return found


def _is_default(prop: Any, now: Any) -> bool:
    if prop.type == "ENUM":
        if prop.is_enum_flag:
            return bool(set(now) == set(prop.default_flag))
        return bool(now == prop.default)
    if prop.type != "STRING" and prop.is_array:
        flat = [part for row in now for part in (row if hasattr(row, "__len__") else [row])]
        return flat == list(prop.default_array)[: len(flat)]
    return bool(now == prop.default)


def _struct(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": value.bl_rna.identifier, "name": _label(value)}
    found["properties"] = _plain(value)
    pointers: dict[str, str] = {}
    collections: dict[str, int] = {}
    for prop in value.bl_rna.properties:
        name = prop.identifier
        if prop.type not in ("POINTER", "COLLECTION") or name == "rna_type":
            continue
        try:
            to = getattr(value, name)
            if prop.type == "COLLECTION":
                collections[name] = len(to)
            elif to is not None:
                pointers[name] = f"{_label(to)} ({to.bl_rna.identifier})"
        except (AttributeError, TypeError, RuntimeError):
            continue
    found["pointers"] = pointers
    found["collections"] = {name: count for name, count in collections.items() if count}
    try:
        known = value.bl_rna.properties
        custom = {key: _value(value[key]) for key in value.keys() if key not in known}  # noqa: SIM118
    except (AttributeError, TypeError):
        custom = {}
    if custom:
        found["custom"] = custom
    tree: Any = value if isinstance(value, bpy.types.NodeTree) else None
    tree = tree or getattr(value, "node_tree", None)
    if isinstance(tree, bpy.types.NodeTree):
        found["nodes"] = [_node(node) for node in list(tree.nodes)[:_MOST_ALLOWED]]
        found["links"] = [_link(link) for link in list(tree.links)[:_MOST_ALLOWED]]
    return found


def _node(node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": node.name, "type": node.bl_idname}
    skipped = {"location", "width", "height", "dimensions", "select", "type", "location_absolute"}
    own = {key: value for key, value in _plain(node).items() if key not in skipped}
    if own:
        found["properties"] = own
    inputs = {_input_name(node, s): _value(s.default_value) for s in node.inputs
              if not s.is_linked and s.enabled and hasattr(s, "default_value")}  # fmt: skip
    if inputs:
        found["inputs"] = inputs
    return found


def _socket(socket: Any) -> tuple[str, Any]:
    return socket.name, _value(getattr(socket, "default_value", None))


def _input_name(node: Any, socket: Any) -> str:
    """Return the name of an input, or its identifier where several inputs have the name."""
    several = sum(other.enabled and other.name == socket.name for other in node.inputs) > 1
    return str(socket.identifier if several else socket.name)


def _link(link: Any) -> str:
    name = _input_name(link.to_node, link.to_socket)
    return f"{link.from_node.name}.{link.from_socket.name} → {link.to_node.name}.{name}"


def picture(request: dict[str, Any]) -> dict[str, Any]:
    """Save a JPEG of the scene from several sides, beside one another, and return where.

    The scene, its cameras and its settings stay as they are.
    """
    path, size = request["file"], request.get("size") or 512
    engine = "workbench" if request.get("style") == "solid" else "cycles"
    views: list[str] = request.get("views") or ["camera"]
    focus = request.get("focus", "")
    if focus and focus not in bpy.data.objects:
        raise SceneError(f"there is no object {focus!r}")
    before = {image.name for image in bpy.data.images}
    parts: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="blendtray-") as folder:
            for number, view in enumerate(views):
                part = os.path.join(folder, f"{number}.jpg")
                preview.render(part, engine, size, view, focus)
                parts.append(part)
            width, height = _join(parts, path)
            outputs.collector.forget(folder)
    except preview.NoPreview as error:
        raise SceneError(str(error)) from None
    finally:
        for name in ("Render Result", "Viewer Node"):
            made = bpy.data.images.get(name)
            if made is not None and name not in before:
                bpy.data.images.remove(made)
    return {"file": path, "views": views, "size": [width, height]}


def _join(parts: list[str], path: str) -> tuple[int, int]:
    """Save pictures of one size as one JPEG: two beside one another, and more in rows of two."""
    # Blender brings it; it is loaded when it is needed.
    import numpy as np  # type: ignore[import-not-found]

    rows: list[Any] = []
    tiles: list[Any] = []
    for part in parts:
        image: Any = bpy.data.images.load(part)
        try:
            width, height = image.size
            pixels = np.empty(width * height * image.channels, dtype=np.float32)
            image.pixels.foreach_get(pixels)
            tiles.append(pixels.reshape(height, width, image.channels)[:, :, :3])
        finally:
            bpy.data.images.remove(image)
    columns = min(2, len(tiles))
    while len(tiles) % columns:
        tiles.append(np.ones_like(tiles[0]))
    for at in range(0, len(tiles), columns):
        rows.insert(0, np.concatenate(tiles[at : at + columns], axis=1))
    whole = np.concatenate(rows, axis=0)
    height, width = whole.shape[:2]
    joined: Any = bpy.data.images.new("Preview", width, height, alpha=False)
    try:
        joined.pixels.foreach_set(np.dstack([whole, np.ones_like(whole[:, :, :1])]).ravel())
        joined.filepath_raw = path
        joined.file_format = "JPEG"
        joined.save()
    finally:
        bpy.data.images.remove(joined)
    return int(width), int(height)
