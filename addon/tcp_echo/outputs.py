# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a run makes: rendered images, saved .blend files, and files that it reports."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent

if TYPE_CHECKING:
    from collections.abc import Callable


class Outputs:
    """Collects the paths of files during a run; `add` may be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[str, None] | None = None
        self._since = 0.0
        self.rendering = False
        # Called with the progress of a render: a fraction and a text.
        self.tell_progress: Callable[[float, str], None] | None = None

    def begin(self, now: float) -> None:
        """Start to collect; files older than `now` (since 1970) do not belong to this run."""
        self._paths = {}
        # The clock of a file system is coarser, and lags behind.
        self._since = now - 0.05
        self.rendering = False
        for handlers, handler in _HANDLERS:
            if handler not in handlers:  # a script may have cleared the list
                handlers.append(handler)

    def end(self) -> list[str]:
        with self._lock:
            paths, self._paths = self._paths, None
        self.rendering = False
        return list(paths or ())

    def add(self, path: str) -> None:
        with self._lock:
            if self._paths is not None:
                self._paths[os.path.abspath(path)] = None

    def add_written(self, path: str) -> bool:
        """Add a path if it is a file that was written since the run began."""
        path = os.path.abspath(path)
        try:
            if os.stat(path).st_mtime < self._since:
                return False
        except OSError:
            return False
        self.add(path)
        return True

    @property
    def collecting(self) -> bool:
        return self._paths is not None


collector = Outputs()

_SAMPLE = re.compile(r"Sample (\d+)/(\d+)")


def register() -> None:
    for handlers, handler in _HANDLERS:
        if handler not in handlers:
            handlers.append(handler)


def unregister() -> None:
    for handlers, handler in reversed(_HANDLERS):
        if handler in handlers:
            handlers.remove(handler)


def own_handlers() -> tuple[Callable[..., None], ...]:
    return tuple(handler for _, handler in _HANDLERS)


@persistent
def _on_render_init(*_args: object) -> None:
    collector.rendering = True


@persistent
def _on_render_end(*_args: object) -> None:
    collector.rendering = False


@persistent
def _on_render_write(scene: bpy.types.Scene, *_args: object) -> None:
    """Add the image or frame that was written; may be called on the render's own thread."""
    if not collector.collecting:
        return
    render = scene.render
    # The path of a still is the path that was set; the path of an animation's frame has a
    # number in it. Blender does not say which of the two it wrote, so both are tried.
    numbered = bpy.path.abspath(render.frame_path(frame=scene.frame_current))
    still = bpy.path.abspath(render.filepath)
    extension = render.file_extension
    if render.use_file_extension and not still.lower().endswith(extension):
        still += extension
    if not collector.add_written(numbered):
        collector.add_written(still)


@persistent
def _on_render_stats(text: object = None, *_args: object) -> None:
    """Report the progress of a render; called on the render's own threads."""
    tell = collector.tell_progress
    if tell is None or not isinstance(text, str):
        return
    found = _SAMPLE.search(text)
    if found is None:
        return
    done, all_samples = int(found[1]), int(found[2])
    tell(done / all_samples if all_samples else 0.0, found[0])


@persistent
def _on_save_post(path: object = None, *_args: object) -> None:
    # Newer Blenders pass the path, older Blenders pass something else.
    collector.add_written(path if isinstance(path, str) and path else bpy.data.filepath)


_HANDLERS: tuple[tuple[list[Any], Callable[..., None]], ...] = (
    (bpy.app.handlers.render_init, _on_render_init),
    (bpy.app.handlers.render_complete, _on_render_end),
    (bpy.app.handlers.render_cancel, _on_render_end),
    (bpy.app.handlers.render_write, _on_render_write),
    (bpy.app.handlers.save_post, _on_save_post),
)
if getattr(bpy.app, "module", False) and bpy.app.version >= (5, 0, 0):
    # Everywhere else the supervisor reads the progress from the output.
    _HANDLERS += ((bpy.app.handlers.render_stats, _on_render_stats),)
