# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Blender where none can be had: the server's side of bpy, without a scene.

Only what the add-on itself calls. It is for tests of the server on Python for Windows; what
is said about Blender is tested in Blender.
"""

import os
import sys
import types as _types

from . import handlers as _handlers


def _module(name: str, **names) -> _types.ModuleType:
    module = _types.ModuleType(f"bpy.{name}")
    vars(module).update(names)
    sys.modules[module.__name__] = module
    return module


class _Timers:
    """Never fire, as in a Blender without a window that a script keeps alive."""

    def register(self, *_args, **_options) -> None:
        pass

    def is_registered(self, _function) -> bool:
        return False

    def unregister(self, _function) -> None:
        pass


class _Struct:
    bl_rna = _types.SimpleNamespace(properties={})


class _Operator(_Struct):
    pass


class _Scene(_Struct):
    pass


class _AddonPreferences(_Struct):
    pass


class _Data:
    bl_rna = _types.SimpleNamespace(properties=())
    filepath = ""
    images = ()


class _CollectionProperty(_Struct):
    pass


class _FilePaths(_Struct):
    bl_rna = _types.SimpleNamespace(properties=())
    use_scripts_auto_execute = False


class _Preferences:
    addons = {}
    is_dirty = False
    filepaths = _FilePaths()


class _Context:
    preferences = _Preferences()
    scene = _Scene()


def _operator(*_args, **_options) -> set:
    return {"FINISHED"}


app = _module(
    "app",
    background=True,
    version=(4, 2, 0),
    version_string="4.2.0 (stand-in)",
    binary_path=sys.executable,
    tempdir="",
    driver_namespace={},
    handlers=_handlers,
    timers=_Timers(),
)
sys.modules["bpy.app.handlers"] = _handlers
context = _Context()
data = _Data()
types = _module(
    "types",
    bpy_struct=_Struct,
    CollectionProperty=_CollectionProperty,
    Operator=_Operator,
    Scene=_Scene,
    AddonPreferences=_AddonPreferences,
)
props = _module("props", BoolProperty=lambda **_options: None, IntProperty=lambda **_options: None)
utils = _module(
    "utils",
    register_class=lambda _cls: None,
    unregister_class=lambda _cls: None,
    script_paths=lambda: [],
    resource_path=lambda _kind: "",
    user_resource=lambda _kind: "",
)
path = _module("path", abspath=os.path.abspath)
ops = _module("ops", wm=_module("ops.wm", read_homefile=_operator, open_mainfile=_operator))
