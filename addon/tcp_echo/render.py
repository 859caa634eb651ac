# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders frames of the open scene into files, as Blender's command line does.

Each row of frames is one `bpy.ops.render.render(animation=True)`, which is what `-a` calls: file
names, formats, views, placeholders and movies are Blender's own. Nothing of the scene is changed
for the scene's own frames; for other frames its start, end and step are, as by `-s`, `-e`, `-j`.

A render that was cut off goes on in another Blender. It then renders the same rows again, and
Blender skips the pictures that are there: so it steps through all frames, and a simulation comes
to the same state. A picture that is not complete is removed right before Blender looks for it.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import bpy

from . import locations, outputs
from .interrupt import RunCancelled
from .journal import journal
from .stdio import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .runs import Run

# The most frames that Blender has: from -1,048,574 to 1,048,574.
_LAST_FRAME = 1_048_574

_RELATIVE = re.compile(r"[+-]\d{1,7}")


class RenderError(Exception):
    """The frames can't be rendered, or were not all rendered."""


# Python then prints no module before the name.
RenderError.__module__ = "builtins"


class Row(NamedTuple):
    """Frames from the first to the last, by a step; a text counts from the scene's ends."""

    first: int | str
    last: int | str
    step: int


class Render(NamedTuple):
    """What a run renders."""

    # No rows are the frames of the scene.
    rows: tuple[Row, ...] = ()
    # The render engine, the output path and the format, "" for those of the scene.
    engine: str = ""
    output: str = ""
    format: str = ""
    # The frames that this render has finished in other Blenders, the frames that it has only begun,
    # and when it began, in seconds since 1970; 0 for a render that begins now.
    done: frozenset[int] = frozenset()
    begun: frozenset[int] = frozenset()
    since: float = 0.0


def parse(message: object) -> Render:
    """Return the render that the field of a run frame describes; raises ValueError."""
    if not isinstance(message, dict):
        raise ValueError("render must be an object")
    texts = {}
    for name in ("engine", "output", "format"):
        texts[name] = _value(message, name, "")
        if not isinstance(texts[name], str) or "\0" in texts[name]:
            raise ValueError(f"render.{name} must be text without null characters")
    frames = {}
    for name in ("done", "begun"):
        frames[name] = _value(message, name, [])
        if not isinstance(frames[name], list) or not all(type(n) is int for n in frames[name]):
            raise ValueError(f"render.{name} must be a list of numbers")
    since = _value(message, "since", 0)
    if type(since) not in (int, float):
        raise ValueError("render.since must be a number")
    rows = _value(message, "frames", [])
    if not isinstance(rows, list):
        raise ValueError("render.frames must be a list")
    return Render(
        tuple(map(_parse_row, rows)),
        texts["engine"],
        texts["output"],
        texts["format"],
        frozenset(frames["done"]),
        frozenset(frames["begun"]),
        float(since),
    )


def _value(message: dict[str, Any], name: str, default: Any) -> Any:
    """Return a field of a message, of any kind, or the default where it is missing or null."""
    value = message.get(name)
    return default if value is None else value


def _parse_row(row: object) -> Row:
    if not isinstance(row, list) or len(row) != 3 or type(row[2]) is not int or row[2] < 1:
        raise ValueError("a row of render.frames is [first, last, step]")
    for end in row[:2]:
        if not (type(end) is int or (isinstance(end, str) and _RELATIVE.fullmatch(end))):
            raise ValueError("an end of a row is a number, or text such as +3 or -1")
    return Row(*row)


def perform(run: Run) -> None:
    """Render what the run asks for; raises RenderError when a frame is missing at the end."""
    wanted = run.render
    scene = bpy.context.scene
    if wanted is None:
        return
    if scene is None:
        raise RenderError("there is no scene to render")
    _set_up(scene, wanted)
    own = not wanted.rows
    rows = [_own_row(scene)] if own else list(_resolved(scene, wanted.rows))
    render = _Rendering(run, scene, rows)
    if render.is_movie and len(rows) > 1:
        raise RenderError(
            f"a movie ({scene.render.image_settings.file_format}) has frames in one row, such as "
            "1-250; render pictures, or give one row"
        )
    with render.listening():
        for row in rows:
            with contextlib.nullcontext() if own else _frames_of(scene, row):
                render.row(row)
    render.tell_skipped()


def _set_up(scene: Any, wanted: Render) -> None:
    """Set the engine, the output path and the format, as `-E`, `-o` and `-F` do."""
    if wanted.engine:
        try:
            scene.render.engine = wanted.engine
        except TypeError as error:
            _, _, there = str(error).partition(" not found in ")
            names = ", ".join(re.findall(r"'(\w+)'", there))
            raise RenderError(
                f"there is no render engine {wanted.engine}; this Blender has {names}"
            ) from None
    if wanted.output:
        scene.render.filepath = wanted.output
    if wanted.format:
        _set_format(scene.render.image_settings, wanted.format)


# The formats that the command line calls by another name than Python.
_FORMATS = {
    "TGA": "TARGA",
    "RAWTGA": "TARGA_RAW",
    "JP2": "JPEG2000",
    "EXR": "OPEN_EXR",
    "MULTILAYER": "OPEN_EXR_MULTILAYER",
    "AVIRAW": "AVI_RAW",
    "AVIJPEG": "AVI_JPEG",
}


def _set_format(settings: Any, name: str) -> None:
    """Set the format of the files by a name of the command line or of Python."""
    wanted = _FORMATS.get(name, name)
    # From 5.0 on, a setting before it says which formats there are to choose from.
    kinds = settings.bl_rna.properties.get("media_type")
    for kind in kinds.enum_items.keys() if kinds else [None]:
        before = settings.media_type if kind else None
        if kind:
            settings.media_type = kind
        try:
            settings.file_format = wanted
        except TypeError:
            if kind:
                settings.media_type = before
            continue
        return
    known = ", ".join(settings.bl_rna.properties["file_format"].enum_items.keys())
    raise RenderError(f"there is no format {name}; this Blender has {known}")


def _own_row(scene: bpy.types.Scene) -> Row:
    row = Row(scene.frame_start, scene.frame_end, scene.frame_step)
    if row.first > row.last:  # type: ignore[operator]  # both are numbers
        raise RenderError(f"the scene has no frames: it goes from {row.first} to {row.last}")
    return row


def _resolved(scene: bpy.types.Scene, rows: tuple[Row, ...]) -> Iterator[Row]:
    """Return the rows with numbers for ends, each frame once."""
    seen: set[int] = set()
    for row in rows:
        first, last = (_number(scene, end) for end in (row.first, row.last))
        if not -_LAST_FRAME <= first <= last <= _LAST_FRAME:
            told = f"{row.first}..{row.last}"
            if told != f"{first}..{last}":
                told += f", which is {first}..{last},"
            raise RenderError(
                f"the frames {told} go from a later to an earlier frame"
                if first > last
                else f"the frames {told} are beyond {_LAST_FRAME}"
            )
        frames = range(first, last + 1, row.step)
        if seen.isdisjoint(frames):
            yield Row(first, last, row.step)
        else:
            for frame in frames:
                if frame not in seen:
                    yield Row(frame, frame, 1)
        seen.update(frames)


def _number(scene: bpy.types.Scene, end: int | str) -> int:
    """Return the frame that an end means, by the rules of `--render-frame`."""
    if isinstance(end, int):
        return end
    if end.startswith("+"):
        return scene.frame_start + int(end)
    return scene.frame_end + int(end) + 1


@contextlib.contextmanager
def _frames_of(scene: bpy.types.Scene, row: Row) -> Iterator[None]:
    """Give the scene the frames of a row for a time."""
    before = scene.frame_start, scene.frame_end, scene.frame_step
    _set_frames(scene, (row.first, row.last, row.step))
    try:
        yield
    finally:
        _set_frames(scene, before)


def _set_frames(scene: Any, frames: tuple[int | str, ...]) -> None:
    # Blender moves the end when the start is set behind it, and the other way round.
    scene.frame_start, scene.frame_end, scene.frame_step = frames
    scene.frame_start = frames[0]


class _Rendering:
    """One render of a run, which may have several rows.

    Blender calls no handler for a frame that it skips, and none before it looks whether the picture
    of a frame is there. So the next frame to be rendered is found, and its old files are removed,
    when the frame before is written.
    """

    def __init__(self, run: Run, scene: bpy.types.Scene, rows: list[Row]) -> None:
        assert run.render is not None
        self._run = run
        self._scene = scene
        self._name = scene.name
        self._wanted = run.render
        self._count = sum(len(_range(row)) for row in rows)
        self.is_movie = scene.render.is_movie_format
        # Blender writes into these paths for the whole row, whatever handlers set meanwhile.
        self._output = scene.render.filepath
        self._overwrites = scene.render.use_overwrite or self.is_movie
        # A movie that was cut off is begun anew.
        self._earlier = frozenset() if self.is_movie else self._wanted.done
        self._goes_on = bool(self._earlier)
        self._ahead: list[int] = []  # the frames of the row that have not been reached, last first
        self._done = 0  # of all frames
        self._skipped = 0
        self._noted: int | None = None  # the frame of which the journal says that it is rendered

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Follow the frames; what has changed in the scene for this is put back."""
        handlers = bpy.app.handlers
        lists: tuple[tuple[list[Any], Callable[..., None]], ...] = (
            (handlers.render_pre, self._begins),
            (handlers.render_write, self._written),
        )
        for functions, function in lists:
            functions.append(function)
        before = self._scene.render.use_overwrite
        if self._goes_on:
            self._scene.render.use_overwrite = False
            outputs.collector.include_since(self._wanted.since)
        try:
            yield
        finally:
            for functions, function in lists:
                if function in functions:
                    functions.remove(function)
            with contextlib.suppress(ReferenceError):  # a handler may have removed the scene
                self._scene.render.use_overwrite = before

    def row(self, row: Row) -> None:
        """Render a row; raises RenderError when a frame of it is missing."""
        self._ahead = list(reversed(_range(row)))
        self._find_next()
        try:
            bpy.ops.render.render(animation=True)
        except RuntimeError as error:
            if self._run.cancel_reason is not None:
                raise RunCancelled from None
            text = str(error).strip()
            text = text[len("Error: ") :] if text.startswith("Error: ") else text
            raise RenderError(text) from None
        if self._run.cancel_reason is not None:
            raise RunCancelled
        if self._ahead:
            raise RenderError(f"frame {self._ahead[-1]} was not written; the output says why")

    def tell_skipped(self) -> None:
        if self._skipped:
            say(f"{self._skipped} of {self._count} frames were there already and were not rendered")

    def _find_next(self) -> None:
        """Pass over the frames that Blender will skip, and make the next frame ready."""
        while self._ahead:
            frame = self._ahead[-1]
            paths = self._paths(frame)
            there = [path for path in paths if os.path.lexists(path)]
            if frame in self._earlier and there:
                for path in there:
                    outputs.collector.add_written(path)
                self._pass(frame, there[0])
                continue
            begun = frame in self._wanted.begun and not self.is_movie
            if (self._goes_on and self._overwrites) or begun:
                for path in there:
                    with contextlib.suppress(OSError):  # Blender says why it can't write there
                        os.unlink(path)
            elif there and not self._overwrites:
                self._skipped += 1
                self._pass(frame, "")
                continue
            self._note(frame)
            return

    def _note(self, frame: int) -> None:
        if self._noted != frame:
            self._noted = frame
            journal.frame(self._run, "rendering", frame)

    def _pass(self, frame: int, picture: str) -> None:
        self._ahead.pop()
        self._done += 1
        self._tell(frame, picture, False)

    def _tell(self, frame: int, picture: str, rendering: bool) -> None:
        run = self._run
        run.listener.frame(run, frame, self._done, self._count, picture, rendering)

    # The handlers. Blender prints an exception of theirs and goes on.

    def _begins(self, scene: bpy.types.Scene, *_args: object) -> None:
        frame = scene.frame_current
        if scene.name != self._name or frame not in self._ahead:
            return
        while self._ahead[-1] != frame:  # somebody else has made the picture meanwhile
            self._skipped += 1
            self._pass(self._ahead[-1], "")
        self._note(frame)
        self._tell(frame, "", True)

    def _written(self, scene: bpy.types.Scene, *_args: object) -> None:
        frame = scene.frame_current
        if scene.name != self._name or not self._ahead or self._ahead[-1] != frame:
            return
        journal.frame(self._run, "rendered", frame)
        self._pass(frame, next(filter(os.path.exists, self._paths(frame)), ""))
        self._find_next()

    def _paths(self, frame: int) -> list[str]:
        """Return the paths of the pictures of a frame, or of the movie."""
        render = self._scene.render
        if render.filepath != self._output:
            return []  # a handler has changed it, and Blender does not look there
        whole = locations.absolute(render.frame_path(frame=frame))
        if not render.use_multiview or render.image_settings.views_format != "INDIVIDUAL":
            return [whole]
        stem, extension = os.path.splitext(whole)
        stereo = render.views_format == "STEREO_3D"
        return [
            f"{stem}{view.file_suffix}{extension}"
            for view in render.views
            if view.use and (view.name in ("left", "right") or not stereo)
        ]


def _range(row: Row) -> range:
    first, last, step = row
    assert isinstance(first, int)
    assert isinstance(last, int)
    return range(first, last + 1, step)
