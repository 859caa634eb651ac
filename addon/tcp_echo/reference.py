# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down the Python API of this Blender, in a Blender that does nothing else.

Blender executes this file:
`blender --background --factory-startup --python reference.py -- FILE [plain]`. The file is a text,
compressed with gzip. Its first line has `MARK`, the version and the hash of the build. Each other
line is an entry: a path, what it is, its type or signature, the class of its value, the class of a
collection itself, and its description. Tabs part them, and the lines are in the order of their
paths. With `plain` no node is made to look at its sockets, for a Blender that crashes with one.
"""

from __future__ import annotations

import builtins
import contextlib
import gzip
import importlib
import inspect
import os
import pkgutil
import re
import sys
import types
from typing import Any

import bpy

MARK = "blendtray-reference 1"

# The modules beside bpy.types and bpy.ops that scripts use.
_MODULES = (
    "bpy.app",
    "bpy.app.handlers",
    "bpy.app.icons",
    "bpy.app.timers",
    "bpy.app.translations",
    "bpy.msgbus",
    "bpy.path",
    "bpy.props",
    "bpy.utils",
    "bpy.utils.previews",
    "bpy.utils.units",
    "bpy_extras",
    "bmesh",
    "bmesh.geometry",
    "bmesh.ops",
    "bmesh.types",
    "bmesh.utils",
    "bl_math",
    "aud",
    "bgl",
    "blf",
    "gpu",
    "gpu_extras",
    "idprop.types",
    "imbuf",
    "imbuf.types",
    "mathutils",
    "mathutils.bvhtree",
    "mathutils.geometry",
    "mathutils.interpolate",
    "mathutils.kdtree",
    "mathutils.noise",
)

# What bpy.context has beside what its class declares: which class, and whether there are many.
_CONTEXT = {
    "active_action": ("Action", False),
    "active_bone": ("EditBone", False),
    "active_node": ("Node", False),
    "active_object": ("Object", False),
    "active_operator": ("Operator", False),
    "active_pose_bone": ("PoseBone", False),
    "armature": ("Armature", False),
    "camera": ("Camera", False),
    "curve": ("Curve", False),
    "edit_object": ("Object", False),
    "editable_objects": ("Object", True),
    "image_paint_object": ("Object", False),
    "light": ("Light", False),
    "material": ("Material", False),
    "mesh": ("Mesh", False),
    "object": ("Object", False),
    "objects_in_mode": ("Object", True),
    "pose_object": ("Object", False),
    "sculpt_object": ("Object", False),
    "selected_bones": ("EditBone", True),
    "selected_editable_objects": ("Object", True),
    "selected_nodes": ("Node", True),
    "selected_objects": ("Object", True),
    "selected_pose_bones": ("PoseBone", True),
    "selectable_objects": ("Object", True),
    "vertex_paint_object": ("Object", False),
    "visible_objects": ("Object", True),
    "weight_paint_object": ("Object", False),
    "world": ("World", False),
}

# The kinds of node trees in which the nodes of each class can be made.
_TREES = {
    "ShaderNode": "ShaderNodeTree",
    "GeometryNode": "GeometryNodeTree",
    "FunctionNode": "GeometryNodeTree",
    "CompositorNode": "CompositorNodeTree",
    "TextureNode": "TextureNodeTree",
}

# How many items of an enumeration are listed, and how many characters of a value.
_ITEMS = 60
_VALUE = 80

_DIRECTIVE = re.compile(r"\.\. (?:method|function|classmethod|staticmethod|class)::\s*(.+)")
_ROLE = re.compile(r":(?:class|mod|func|meth|attr|data|ref|exc|const|type):`~?([^`]*)`")
_INTERFACE = re.compile(r"_(?:PT|MT|HT|UL)_")
# Vectors have hundreds of these; those in the order of the letters stand for the rest.
_SWIZZLE = re.compile(r"[wxyz]{2,4}")
_LARGEST = 3e38
_LARGEST_INT = 2**31 - 1

_Entry = tuple[str, str, str, str, str, str]


class _Entries:
    """The entries that were found, by their paths."""

    def __init__(self) -> None:
        self.all: dict[str, _Entry] = {}

    def add(
        self, path: str, kind: str, text: str = "", of: str = "", itself: str = "", doc: str = ""
    ) -> None:
        """Add an entry, unless there is one of this path."""
        self.all.setdefault(path, (path, kind, text, of, itself, _ROLE.sub(r"\1", doc.strip())))

    def lines(self) -> list[str]:
        """Return the entries as lines, in the order of their paths."""
        return ["\t".join(map(_escaped, self.all[path])) for path in sorted(self.all)]


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace("\t", "    ").replace("\r", "").replace("\n", "\\n")


def write(path: str, nodes: bool = True) -> None:
    """Write the API of this Blender to a file."""
    if sys.platform != "win32":
        os.nice(5)  # somebody waits for it, and runs go before
    entries = _Entries()
    _add_types(entries)
    _add_operators(entries)
    for name in _MODULES:
        _add_module(entries, name)
    if nodes:
        _add_sockets(entries)
    build: Any = bpy.app.build_hash
    text = build.decode("ascii", "replace") if isinstance(build, bytes) else str(build)
    lines = [f"{MARK}\t{bpy.app.version_string}\t{text}", *entries.lines()]
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(("\n".join(lines) + "\n").encode("utf-8"))


def _add_types(entries: _Entries) -> None:
    every: Any = bpy.types
    # The classes of values, some of which bpy.types does not have: groups of properties of add-ons.
    groups: dict[str, Any] = {}
    for name in dir(every):
        # What registers an operator is no class that scripts use; bpy.ops has the operator.
        if name.startswith("_") or "_OT_" in name:
            continue
        kind = getattr(every, name, None)
        rna = getattr(kind, "bl_rna", None)
        if not isinstance(kind, type):
            continue
        if rna is None:
            entries.add(f"bpy.types.{name}", "class", doc=_doc(kind))
            _add_python(entries, f"bpy.types.{name}", kind)
            continue
        path = f"bpy.types.{name}"
        _add_class(entries, rna, groups)
        # What panels and menus draw is nothing that scripts call.
        if not _INTERFACE.search(name):
            _add_python(entries, path, kind)
    while groups:
        rna = groups.popitem()[1]
        if f"bpy.types.{rna.identifier}" not in entries.all:
            _add_class(entries, rna, groups)
    _add_engines(entries)
    for name, (of, many) in _CONTEXT.items():
        text = f"sequence of {of}" if many else of
        entries.add(f"bpy.types.Context.{name}", "property", text, of)


def _add_class(entries: _Entries, rna: Any, groups: dict[str, Any]) -> None:
    """Add a class with its own properties and methods, and note the classes of its values."""
    path, base = f"bpy.types.{rna.identifier}", rna.base
    entries.add(path, "class", base.identifier if base else "bpy_struct", doc=_rna_doc(rna))
    for prop in rna.properties:
        if base is None or base.properties.get(prop.identifier) != prop:
            _add_property(entries, path, prop)
            of = prop.fixed_type if prop.type in ("POINTER", "COLLECTION") else None
            if of is not None:
                groups[of.identifier] = of
    for function in rna.functions:
        if base is None or base.functions.get(function.identifier) != function:
            _add_method(entries, path, function)


def _add_engines(entries: _Entries) -> None:
    """Add which render engines there are, which the property alone does not say."""
    path = "bpy.types.RenderSettings.engine"
    render: Any = bpy.context.scene.render if bpy.context.scene else None
    try:
        render.engine = "?"
    except TypeError as error:
        found = re.search(r"\((.*)\)", str(error))
        if found and path in entries.all:
            old = entries.all[path]
            text = f"enum in [{found[1]}], default {render.engine!r}"
            entries.all[path] = (path, "property", text, "", "", old[5].partition("\n")[0])


def _rna_doc(rna: Any) -> str:
    name, description = rna.name or "", rna.description or ""
    if not description or description == name:
        return name
    return description


def _add_property(entries: _Entries, owner: str, prop: Any) -> None:
    if prop.identifier == "rna_type":
        return
    of = itself = ""
    if prop.type in ("POINTER", "COLLECTION"):
        of = prop.fixed_type.identifier if prop.fixed_type else ""
        itself = prop.srna.identifier if prop.type == "COLLECTION" and prop.srna else ""
    doc = _rna_doc(prop)
    if prop.type == "ENUM":
        lines = _items_doc(prop)
        doc = "\n".join([doc, *lines])
    text = _type_text(prop) + (", read-only" if prop.is_readonly else "")
    entries.add(f"{owner}.{prop.identifier}", "property", text, of, itself, doc)


def _type_text(prop: Any, default: bool = True) -> str:
    """Return the type of a property, as in "float array of 3, default (0, 0, 0)"."""
    kind = str(prop.type)
    if kind == "POINTER":
        return str(prop.fixed_type.identifier) if prop.fixed_type else "pointer"
    if kind == "COLLECTION":
        return f"collection of {prop.fixed_type.identifier if prop.fixed_type else 'values'}"
    if kind == "ENUM":
        text = ("set of " if prop.is_enum_flag else "") + "enum in " + _items_text(prop)
        default = default and bool(prop.default_flag if prop.is_enum_flag else prop.default)
        value = prop.default_flag if prop.is_enum_flag else prop.default
        return f"{text}, default {value!r}" if default else text
    text = {"BOOLEAN": "bool", "INT": "int", "FLOAT": "float", "STRING": "str"}.get(kind, kind)
    many = kind != "STRING" and prop.is_array
    if many:
        sizes = [n for n in prop.array_dimensions if n]
        text += f" array of {' x '.join(map(str, sizes)) or prop.array_length or 'any size'}"
    if kind in ("INT", "FLOAT"):
        text += _range_text(prop)
    if prop.subtype not in ("NONE", "UNSIGNED"):
        text += f", {prop.subtype.lower().replace('_', ' ')}"
    if not default:
        return text
    if many:
        values = list(prop.default_array)[: prop.array_length]
        return f"{text}, default {_short(tuple(map(_number, values)))}"
    return f"{text}, default {_short(_number(prop.default))}"


def _range_text(prop: Any) -> str:
    low, high = prop.hard_min, prop.hard_max
    most = _LARGEST if prop.type == "FLOAT" else _LARGEST_INT
    if low <= -most and high >= most:
        return ""
    least = "-inf" if low <= -most else f"{_number(low)}"
    return f" in [{least}, {'inf' if high >= most else _number(high)}]"


def _number(value: Any) -> Any:
    """Return a float as a person would write it."""
    if not isinstance(value, float):
        return value
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE else text[:_VALUE] + "…"


def _items(prop: Any) -> Any:
    """Return the items that an enumeration always has; to ask for others may crash."""
    return prop.enum_items_static


def _items_text(prop: Any) -> str:
    names = [item.identifier for item in _items(prop) if item.identifier]
    more = ", …" if len(names) > _ITEMS else ""
    return "[" + ", ".join(map(repr, names[:_ITEMS])) + more + "]"


def _items_doc(prop: Any) -> list[str]:
    return [
        f"{item.identifier!r}: {item.description or item.name}"
        for item in list(_items(prop))[:_ITEMS]
        if item.identifier and (item.description or item.name)
    ]


def _add_method(entries: _Entries, owner: str, function: Any) -> None:
    given, lines, returned, of = [], [], [], ""
    for parameter in function.parameters:
        text = _type_text(parameter, default=False)
        if parameter.is_output:
            returned.append(text)
            if parameter.type in ("POINTER", "COLLECTION") and parameter.fixed_type:
                of = parameter.fixed_type.identifier
            continue
        given.append(parameter.identifier + ("" if parameter.is_required else _default(parameter)))
        lines.append(f"{parameter.identifier} ({text}): {_rna_doc(parameter)}")
    signature = f"{function.identifier}({', '.join(given)})"
    if returned:
        signature += f" -> {', '.join(returned)}"
    doc = "\n".join([function.description or "", *lines])
    entries.add(f"{owner}.{function.identifier}", "method", signature, of, doc=doc)


def _default(parameter: Any) -> str:
    if parameter.type in ("POINTER", "COLLECTION"):
        return "=None"
    if parameter.type == "ENUM":
        value = parameter.default_flag if parameter.is_enum_flag else parameter.default
    elif parameter.type != "STRING" and parameter.is_array:
        value = tuple(map(_number, parameter.default_array))[: parameter.array_length]
    else:
        value = _number(parameter.default)
    return f"={_short(value)}"


def _add_python(entries: _Entries, owner: str, kind: type) -> None:
    """Add what a class has by Python or C, and not by RNA."""
    for name, given in list(vars(kind).items()):
        if name.startswith("_") or name in ("bl_rna", "cycles"):
            continue
        if _SWIZZLE.fullmatch(name) and list(name) != sorted(set(name)):
            continue
        path = f"{owner}.{name}"
        value: Any = getattr(given, "__func__", given)  # of a classmethod or staticmethod
        if isinstance(value, property) or inspect.isdatadescriptor(value):
            entries.add(path, "property", _rtype(value), doc=_doc(value))
        elif callable(value):
            signature, doc = _signature(name, value)
            entries.add(path, "method", signature, doc=doc)


def _rtype(value: object) -> str:
    found = re.search(r":type:\s*(.+)", _doc(value))
    return _ROLE.sub(r"\1", found[1]).strip() if found else ""


def _doc(value: object) -> str:
    doc = getattr(value, "__doc__", None)
    return inspect.cleandoc(doc) if isinstance(doc, str) else ""


def _signature(name: str, value: object) -> tuple[str, str]:
    """Return how a function is called, and the rest of its doc."""
    doc = _doc(value)
    found = _DIRECTIVE.match(doc)
    if found:
        return found[1].strip(), inspect.cleandoc("\n" + doc[found.end() :])
    try:
        return name + str(inspect.signature(value)), doc  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"{name}(…)", doc


def _add_operators(entries: _Entries) -> None:
    for module_name in dir(bpy.ops):
        module = getattr(bpy.ops, module_name)
        entries.add(f"bpy.ops.{module_name}", "module", doc="Operators")
        for name in dir(module):
            try:
                rna: Any = getattr(module, name).get_rna_type()
            except (AttributeError, KeyError):
                continue
            given, lines = [], []
            for prop in rna.properties:
                if prop.identifier == "rna_type":
                    continue
                given.append(prop.identifier + _default(prop))
                lines.append(f"{prop.identifier} ({_type_text(prop, False)}): {_rna_doc(prop)}")
            path = f"bpy.ops.{module_name}.{name}"
            doc = "\n".join([_rna_doc(rna), *lines])
            entries.add(path, "operator", f"{path}({', '.join(given)})", doc=doc)


def _add_module(entries: _Entries, name: str) -> None:
    try:
        module: Any = importlib.import_module(name)
    except Exception:  # this Blender does not have it, or not without a window
        parent, _, last = name.rpartition(".")
        module = getattr(sys.modules.get(parent) or getattr(bpy, parent[4:], None), last, None)
        if module is None:
            return
    entries.add(name, "module", doc=_doc(module))
    if isinstance(module, types.ModuleType) and hasattr(module, "__path__"):
        for found in pkgutil.iter_modules(module.__path__):
            inner = f"{name}.{found.name}"
            if not found.name.startswith("_") and inner not in _MODULES:
                _add_module(entries, inner)
    for member in dir(module):
        if member.startswith("_"):
            continue
        with contextlib.suppress(Exception):  # some values are there only with a window
            _add_member(entries, name, module, member)


def _add_member(entries: _Entries, owner: str, module: Any, name: str) -> None:
    path, value = f"{owner}.{name}", getattr(module, name)
    if isinstance(value, types.ModuleType):
        # A module that it imports is not its own.
        if value.__name__ == path and path not in entries.all and path not in _MODULES:
            _add_module(entries, path)
    elif isinstance(value, type):
        imported = value.__module__ != owner and owner.startswith("bpy_extras.")
        if imported or value.__module__ == "typing" or getattr(builtins, name, None) is value:
            return
        signature, doc = _signature(name, value)
        entries.add(path, "class", "" if signature.endswith("(…)") else signature, doc=doc)
        _add_python(entries, path, value)
    elif callable(value):
        if isinstance(value, types.FunctionType) and value.__module__ != module.__name__ \
                and not value.__module__.startswith(("bpy", "_bpy", "gpu", "bmesh")):  # fmt: skip
            return
        signature, doc = _signature(name, value)
        if owner == "bmesh.ops":
            signature, doc = _bmesh_operator(value)
        entries.add(path, "function", signature, doc=doc)
    elif owner != "bgl":  # whose constants are those of OpenGL
        field = vars(type(module)).get(name)
        doc = _doc(field) if field is not None else ""
        text = type(value).__name__
        if isinstance(value, (bool, int, float, str)) and path != "bpy.app.tempdir":
            text += f", {_short(value)}"
        entries.add(path, "constant", text, doc=doc)


def _bmesh_operator(value: Any) -> tuple[str, str]:
    """Return the signature of an operator of bmesh, which is all that its doc has."""
    doc = " ".join(_doc(value).split())
    return doc.replace("BMeshOpFunc ", "", 1), ""


def _add_sockets(entries: _Entries) -> None:
    """Add the inputs and outputs that a new node of each kind has."""
    every: Any = bpy.types
    groups: Any = bpy.data.node_groups
    scene: Any = bpy.context.scene
    for base, tree_kind in _TREES.items():
        parent = getattr(every, base, None)
        if parent is None:
            continue
        try:
            tree = groups.new("Reference", tree_kind)
        except TypeError:
            continue
        if tree_kind == "CompositorNodeTree" and hasattr(scene, "compositing_node_group"):
            scene.compositing_node_group = tree  # since 5.0: some nodes need a scene
        for name in dir(every):
            kind = getattr(every, name)
            if not (isinstance(kind, type) and issubclass(kind, parent)) or kind is parent:
                continue
            with contextlib.suppress(Exception):  # it can't be made, as in this kind of tree
                node = tree.nodes.new(name)
                for side in ("inputs", "outputs"):
                    for socket in getattr(node, side):
                        _add_socket(entries, f"bpy.types.{name}.{side}", socket)
                tree.nodes.remove(node)
        groups.remove(tree)


def _add_socket(entries: _Entries, owner: str, socket: Any) -> None:
    value = getattr(socket, "default_value", None)
    text = socket.bl_idname
    if isinstance(value, (bool, int, float, str)):
        text += f", default {_short(_number(value))}"
    elif value is not None and hasattr(value, "__len__"):
        text += f", default {_short(tuple(_number(part) for part in value))}"
    if not socket.enabled:
        text += ", hidden at first"
    path = f'{owner}["{socket.name}"]'
    entries.add(path, "socket", text, socket.bl_idname, doc=getattr(socket, "description", ""))


if __name__ == "__main__":
    _given = sys.argv[sys.argv.index("--") + 1 :]
    write(_given[0], nodes="plain" not in _given[1:])
