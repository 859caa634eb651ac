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
    function around the execution would be a frame more, and change whose line a warning names. A
    Blender whose operators are made in another way is left as it is.
    """
    try:
        operator: Any = type(bpy.ops.text.save)
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
