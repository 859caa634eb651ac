import array
import hashlib

import bpy

# Blender's own bookkeeping, which says nothing about what there is.
BOOKS = {"tag", "use_extra_user"}


def mark(item):
    """Return a short text that differs when what a person sees of a data-block differs."""
    seen = hashlib.blake2b(digest_size=8)
    if isinstance(item, bpy.types.Object):
        parts = [
            tuple(round(n, 5) for row in item.matrix_world for n in row),
            item.hide_render,
            item.hide_viewport,
        ]
        parts += [
            item.data.name if item.data else "",
            [m.material.name if m.material else "" for m in item.material_slots],
        ]
        parts += [(m.name, m.type) for m in item.modifiers] + [
            item.parent.name if item.parent else ""
        ]
        seen.update(repr(parts).encode())
    elif isinstance(item, bpy.types.Mesh):
        numbers = array.array("f", bytes(len(item.vertices) * 12))
        item.vertices.foreach_get("co", numbers)
        seen.update(numbers)
        seen.update(repr((len(item.edges), len(item.polygons))).encode())
    else:
        for prop in item.bl_rna.properties:
            plain = (
                prop.type in {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"} and not prop.is_readonly
            )
            if plain and prop.identifier not in BOOKS:
                value = getattr(item, prop.identifier)
                seen.update(
                    repr(tuple(value) if getattr(prop, "is_array", False) else value).encode()
                )
        tree = getattr(item, "node_tree", None)
        if tree:
            for node in tree.nodes:
                values = []
                for socket in node.inputs:
                    value = getattr(socket, "default_value", None)
                    values.append(
                        tuple(value)
                        if hasattr(value, "__len__") and not isinstance(value, str)
                        else value
                    )
                seen.update(repr((node.name, node.bl_idname, values)).encode())
            seen.update(str(len(tree.links)).encode())
    return seen.hexdigest()


kinds = (
    "objects",
    "meshes",
    "materials",
    "collections",
    "cameras",
    "lights",
    "images",
    "scenes",
    "worlds",
    "actions",
)
result = {kind: {item.name_full: mark(item) for item in getattr(bpy.data, kind)} for kind in kinds}
