# SPDX-License-Identifier: GPL-3.0-or-later
"""The files into which Blender saves its text blocks.

Python announces the files that it is about to write (`sys.addaudithook`), and Blender's own code
does not. Of Blender's own code only two operators write source: `text.save` and `text.save_as`.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SAVING = frozenset(("save", "save_as"))


def listen(heard: Callable[[str], None]) -> None:
    """Have `heard` called with the path of a file before a text block is saved into it.

    An operator asks for its own name right before it is executed. Only that method is replaced: a
    function around the execution would be a frame more, and change whose line a warning names. From
    5.3 on operators are built in, and ask for nothing, so that these two operators alone have such
    a frame. A Blender whose operators are made in another way is left as it is.
    """
    operator: Any = type(bpy.ops.text.save)
    if operator.__name__ == "BPyOpFunction":
        _listen_to_built_in(heard)
        return
    try:
        name, call = operator.idname_py, operator.__call__.__code__
    except AttributeError:
        return

    def idname_py(self: Any) -> Any:
        if self._func in _SAVING and self._module == "text":
            caller = sys._getframe(1)
            if caller.f_code is call:
                with contextlib.suppress(Exception):  # the operator complains about what is wrong
                    known = caller.f_locals
                    path = _path(self._func, known.get("kw") or {}, known.get("C_dict") or {})
                    if path:
                        heard(path)
        return name(self)

    operator.idname_py = idname_py


class _Announced:
    """A built-in operator that says into which file it is about to write."""

    def __init__(self, operator: Any, function: str, heard: Callable[[str], None]) -> None:
        self.__doc__ = operator.__doc__
        self._operator = operator
        self._function = function
        self._heard = heard

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        with contextlib.suppress(Exception):  # the operator complains about what is wrong
            path = _path(self._function, arguments, {})
            if path:
                self._heard(path)
        return self._operator(*args, **arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)

    def __repr__(self) -> str:
        return repr(self._operator)


# Who asks of what kind an operator is hears what earlier versions of Blender say.
_Announced.__module__ = "bpy.ops"


def _listen_to_built_in(heard: Callable[[str], None]) -> None:
    module: Any = sys.modules["bpy.ops"]
    make = getattr(module, "_bpy_ops_submodule__getattr__", None)
    if make is None:
        return

    def announced(owner: str, function: str) -> Any:
        operator = make(owner, function)
        saves = owner == "text" and function in _SAVING
        return _Announced(operator, function, heard) if saves else operator

    module._bpy_ops_submodule__getattr__ = announced


def _path(function: str, arguments: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the path that an operator is about to write, or "" if it writes none.

    `context` is what older Blenders take as the first argument of an operator.
    """
    text = _text(context)
    if text is None:
        return ""
    path = text.filepath
    if function == "save_as":
        path = arguments.get("filepath", path)
    return bpy.path.abspath(path, library=text.library) if path else ""


def _text(context: Mapping[str, Any]) -> Any:
    """Return the text block that an operator works on, or None."""
    if "edit_text" in context:
        return context["edit_text"]
    space = context.get("space_data")
    if space is None and context.get("area") is not None:
        space = context["area"].spaces.active
    text = getattr(space, "text", None)
    return text if text is not None else getattr(bpy.context, "edit_text", None)
