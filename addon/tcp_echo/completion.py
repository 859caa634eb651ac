# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how code may go on at a cursor, from the names that a session has.

Nothing of the code is called: a chain of names, attributes and keys before the cursor is looked
up, as Python's own completer does, but no key that would be made by that. To look an attribute up
may all the same execute code, of a property. The caller guards against properties that hang.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import rlcompleter
from itertools import islice
from typing import Any

import bpy

from .interrupt import RunCancelled

# The most matches of an answer, and the most characters of a signature.
MOST = 200
_SIGNATURE = 300
# The most keys of a collection that are looked at.
_KEYS = 100_000

# A name, and attributes and literal keys behind it: looking it up calls no function of the code.
_KEY = r"""\[(?:"[^"\\\n]*"|'[^'\\\n]*'|-?\d+)\]"""
_CHAIN = r"(?<![\w.\])}\"'])[^\W\d]\w*(?:\.[^\W\d]\w*|" + _KEY + ")*"
_ATTRIBUTE = re.compile(f"({_CHAIN})\\.(\\w*)$")
_CALLED = re.compile(f"({_CHAIN})$")
_KEYED = re.compile(f"({_CHAIN})\\[$")
# One link of a chain: a name, an attribute or a key.
_LINK = re.compile(r"\.?(?P<name>[^\W\d]\w*)|\[(?P<key>\"[^\"]*\"|'[^']*'|-?\d+)\]")
_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*$")

_MISSING = object()

# How the doc of a function of Blender begins.
_DIRECTIVE = re.compile(r"^\.\. (?:\w+)::\s*")


class _Completer(rlcompleter.Completer):
    """Python's completer, which here looks no attribute up only to see whether it can be called."""

    namespace: dict[str, Any]

    def _callable_postfix(self, val: object, word: str) -> str:
        return word

    def attr_matches(self, text: str) -> list[str]:
        owner, _, prefix = text.rpartition(".")
        try:
            value = _look_up(owner, self.namespace)
            words = set(dir(value)) | set(dir(type(value)))
        except BaseException as error:
            _pass_on(error)
            return []
        return [
            f"{owner}.{word}"
            for word in words
            if word.startswith(prefix) and (prefix.startswith("_") or not word.startswith("_"))
        ]


def complete(code: str, cursor: int, names: dict[str, Any] | None) -> dict[str, Any]:
    """Return what may stand from `start` to the cursor, and the signature of the call around it.

    `cursor` counts characters. `names` are those of the session, or None before its first run.
    """
    namespace: dict[str, Any] = {"bpy": bpy, "__builtins__": builtins} if names is None else names
    before, after = code[:cursor], code[cursor:]
    place = _Place(before)
    start = cursor
    matches: list[str] = []
    if place.quote:
        start, matches = _keys(before, after, place, namespace)
    elif not place.comment:
        start, matches = _words(before, namespace)
    return {
        "start": start,
        "matches": sorted(set(matches))[:MOST],
        "signature": _signature(before, place, namespace),
    }


class _Place:
    """Where code ends: in a comment, in a text, in which brackets."""

    def __init__(self, code: str) -> None:
        # Where the text begins in which the code ends, and by which quotation mark; "" for no text.
        self.quote, self.quoted_from = "", 0
        self.comment = False
        # Where the brackets begin that are open.
        self.brackets: list[int] = []
        at = 0
        while at < len(code):
            at = self._step(code, at)

    def _step(self, code: str, at: int) -> int:
        """Take note of the character at a place, and return the next place."""
        character = code[at]
        if self.comment:
            self.comment = character != "\n"
        elif self.quote:
            if character == "\\":
                return at + 2
            if code.startswith(self.quote, at):
                at += len(self.quote) - 1
                self.quote = ""
            elif character == "\n" and len(self.quote) == 1:
                self.quote = ""
        elif character == "#":
            self.comment = True
        elif character in "\"'":
            self.quote = character * 3 if code.startswith(character * 3, at) else character
            self.quoted_from = at
            at += len(self.quote) - 1
        elif character in "([{":
            self.brackets.append(at)
        elif character in ")]}" and self.brackets:
            self.brackets.pop()
        return at + 1


def _pass_on(error: BaseException) -> None:
    """Raise an exception again that is not of what was looked up, but asks to stop."""
    if isinstance(error, RunCancelled):
        raise error


def _look_up(chain: str, namespace: dict[str, Any]) -> Any:
    """Return what a chain means. Keys are looked up only where that makes no new ones.

    Raises whatever a lookup raises, and LookupError where there is no such key.
    """
    first = _LINK.match(chain)
    if not first:
        raise LookupError(chain)
    value = eval(first[0], namespace)
    for link in _LINK.finditer(chain, first.end()):
        if link["key"] is None:
            value = getattr(value, link["name"])
        else:
            value = _item(value, ast.literal_eval(link["key"]))
    return value


def _item(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        # A defaultdict makes a value for a key that it is asked for as value[key].
        item = dict.get(value, key, _MISSING)
        if item is _MISSING:
            raise LookupError(key)
        return item
    if type(value) in (list, tuple, str, bytes):
        return value[key]
    if isinstance(value, (bpy.types.bpy_prop_collection, bpy.types.bpy_struct)):
        return value[key]
    if type(value).__module__ == "idprop.types":
        return value[key]
    raise LookupError(key)  # a class of the session may do anything


def _words(before: str, namespace: dict[str, Any]) -> tuple[int, list[str]]:
    """Return where a name or an attribute begins that the code ends with, and what it may be."""
    found = _ATTRIBUTE.search(before)
    if found:
        return found.start(), _Completer(namespace).attr_matches(found[0])
    found = _NAME.search(before)
    if found:
        words: list[str] = _Completer(namespace).global_matches(found[0])
        hidden = not found[0].startswith("_")
        return found.start(), [w for w in words if not (hidden and w.startswith("_"))]
    if re.search(r"[\w.\])}\"']$", before):
        return len(before), []  # a number, or an attribute of what a call returns
    return len(before), [name for name in namespace if not name.startswith("_")]


def _keys(
    before: str, after: str, place: _Place, namespace: dict[str, Any]
) -> tuple[int, list[str]]:
    """Return where a chain begins that ends with the beginning of a key, and what it may be."""
    found = _KEYED.search(before, 0, place.quoted_from)
    if not found or len(place.quote) != 1:
        return len(before), []
    prefix, quote = before[place.quoted_from + 1 :], place.quote
    try:
        value = _look_up(found[1], namespace)
        if not isinstance(value, (dict, bpy.types.bpy_prop_collection, bpy.types.bpy_struct)):
            return len(before), []
        keys = [k for k in islice(value.keys(), _KEYS) if isinstance(k, str)]
    except BaseException as error:
        _pass_on(error)
        return len(before), []
    end = "" if after.startswith(quote) else quote + "]"
    quoted = [k.replace("\\", "\\\\").replace(quote, "\\" + quote) for k in keys if k.isprintable()]
    return found.start(), [f"{found[0]}{quote}{k}{end}" for k in quoted if k.startswith(prefix)]


def _signature(before: str, place: _Place, namespace: dict[str, Any]) -> str | None:
    """Return how the function is called in whose brackets the code ends, or None."""
    if not place.brackets or place.comment or before[place.brackets[-1]] != "(":
        return None
    found = _CALLED.search(before, 0, place.brackets[-1])
    if not found:
        return None
    try:
        value = _look_up(found[0], namespace)
        if not callable(value):
            return None
        text = _first_line(value) if _is_of_blender(value) else ""
        if not text:
            try:
                text = found[0].rpartition(".")[2] + str(inspect.signature(value))
            except (TypeError, ValueError):
                text = _first_line(value)
    except BaseException as error:
        _pass_on(error)
        return None
    return text[:_SIGNATURE] or None


def _is_of_blender(value: object) -> bool:
    """Return whether the doc of a function says more than what Python knows of its arguments."""
    kind = type(value)
    # Operators are of a type in bpy.ops, which from 5.3 on is built in.
    return kind.__module__ in ("bpy.ops", "_bpy") or kind.__name__ in ("bpy_func", "BPyOpFunction")


def _first_line(value: object) -> str:
    doc = value.__doc__
    lines = doc.strip().splitlines() if isinstance(doc, str) else []
    return _DIRECTIVE.sub("", lines[0]).strip() if lines else ""
