# SPDX-License-Identifier: GPL-3.0-or-later
"""Describes all data-blocks as text, for tests that compare scenes.

The text has each data-block's name, type, users and library, its properties and custom properties,
the elements of meshes, and the bytes of packed files and pixels.
"""

import array
import hashlib

import bpy

# These belong to the window, or count what Blender has done, or are made anew when they are asked for.
LEFT_OUT = {"screens", "window_managers", "workspaces"}
PASSED = {
    "rna_type", "original", "is_evaluated", "session_uid", "session_uuid", "preview", "tag",
    "is_library_indirect", "id_data", "bl_rna", "asset_data", "bindcode", "has_data",
    "resolution",  # a packed PNG holds whole numbers
    # What these say follows from the evaluated scene, or from what the window shows.
    "depsgraph", "bound_box", "dimensions", "use_extra_user", "users",
    # Blender fills in what the tools of the window need, when it reads a scene that a script has made.
    "tool_settings", "gi_cache_info", "is_runtime_data",
}  # fmt: skip
DEPTH = 5
# What is compared of the elements of a mesh: the property, its type, and how many values it has.
ELEMENTS = {
    "vertices": ("co", "f", 3),
    "edges": ("vertices", "i", 2),
    "loops": ("vertex_index", "i", 1),
    "polygons": ("loop_total", "i", 1),
}


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def value_of(value, depth):
    if value is None or isinstance(value, (bool, int, str)):
        return repr(value)
    if isinstance(value, float):
        return "%.7g" % value
    if isinstance(value, bytes):
        return digest(value)
    if isinstance(value, (set, frozenset)):
        return repr(sorted(value))
    if isinstance(value, bpy.types.ID):
        if not getattr(value, "is_embedded_data", False):
            return f"<{value.rna_type.identifier} {value.name_full}>"
    if isinstance(value, bpy.types.bpy_struct):
        return struct_of(value, depth)
    if hasattr(value, "items") and hasattr(value, "keys"):  # custom properties
        return "{" + ", ".join(f"{k}: {value_of(v, depth)}" for k, v in sorted(value.items())) + "}"
    if hasattr(value, "to_list"):
        return value_of(value.to_list(), depth)
    try:
        return "[" + ", ".join(value_of(v, depth) for v in value) + "]"
    except TypeError:
        return type(value).__name__


def collection_of(owner, name, value, depth):
    count = len(value)
    if isinstance(owner, bpy.types.Mesh) and count and name in ELEMENTS:
        prop, kind, size = ELEMENTS[name]
        data = array.array(kind, bytes(4 * size * count))
        value.foreach_get(prop, data)
        return f"{count} {digest(data.tobytes())}"
    if depth <= 0 or count > 2000:
        return f"{count} items"
    return "[" + ", ".join(value_of(v, depth - 1) for v in value) + "]"


def struct_of(struct, depth):
    if depth <= 0:
        return f"<{struct.rna_type.identifier}>"
    parts = []
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if name in PASSED:
            continue
        try:
            value = getattr(struct, name)
            if prop.type == "COLLECTION":
                text = collection_of(struct, name, value, depth)
            elif name == "pixels" and isinstance(struct, bpy.types.Image):
                data = array.array("f", bytes(4 * len(value)))
                value.foreach_get(data)
                text = digest(data.tobytes())
            elif prop.type == "POINTER":
                text = value_of(value, depth - 1)
            else:
                text = value_of(value, depth)
        except Exception as error:
            text = type(error).__name__
        parts.append(f"{name}={text}")
    try:
        custom = {k: v for k, v in struct.items()}
    except (TypeError, AttributeError):
        custom = {}
    parts += [f"[{k}]={value_of(v, depth)}" for k, v in sorted(custom.items())]
    return f"{struct.rna_type.identifier}(" + " ".join(parts) + ")"


def lines():
    # Newer Blenders do not save what follows from the evaluation, such as an object's matrix.
    for scene in bpy.data.scenes:
        for layer in scene.view_layers:
            layer.update()
    yield f"file {bpy.data.filepath}"
    yield f"scene {bpy.context.scene.name} {bpy.context.view_layer.name}"
    for prop in bpy.data.bl_rna.properties:
        if prop.type != "COLLECTION" or prop.identifier in LEFT_OUT:
            continue
        blocks = sorted(getattr(bpy.data, prop.identifier), key=lambda block: block.name_full)
        for block in blocks:
            yield f"{prop.identifier} {block.name_full} used={block.users > 0} {struct_of(block, DEPTH)}"


def text():
    return "\n".join(lines())
