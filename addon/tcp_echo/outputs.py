# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that a run makes: images, .blend files, and files that it reports."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.handlers import persistent

from . import declared, locations

if TYPE_CHECKING:
    from collections.abc import Callable


class Outputs:
    """Collects the paths of files during a run; `add` may be called on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[str, None] | None = None
        self._declared: dict[declared.Declared, None] = {}
        self._since = 0.0
        # What the files of the run before were when it ended, so that they are not this run's.
        self._before: dict[str, tuple[int, ...]] = {}
        self.rendering = False
        # Called with the progress of a render: a fraction and a text.
        self.tell_progress: Callable[[float, str], None] | None = None
        # Called with the path of each picture that a render has written.
        self.tell_picture: Callable[[str], None] | None = None

    def begin(self, now: float) -> None:
        """Start to collect; files older than `now` (since 1970) do not belong to this run."""
        self._paths = {}
        self._declared = {}
        # The clock of a file system is coarser, and lags behind.
        self._since = now - 0.05
        self.rendering = False
        for handlers, handler in _HANDLERS:
            if handler not in handlers:  # a script may have cleared the list
                handlers.append(handler)

    def include_since(self, when: float) -> None:
        """Have files belong to this run that were written since `when`, by Blenders before this."""
        self._since = min(self._since, when - 0.05)

    def end(self) -> list[str]:
        """Return the paths that were added, and what was declared and written since `begin`."""
        self.add_images()
        with self._lock:
            found, self._declared = self._declared, {}
        for files in found:
            for path in files.files():
                self.add_written(path)
        with self._lock:
            paths, self._paths = list(self._paths or ()), None
        self._before = {}
        for path in paths:
            with contextlib.suppress(OSError):
                self._before[path] = _signature(os.stat(path))
        self.rendering = False
        return paths

    def declare_render(self, scene: bpy.types.Scene) -> None:
        """Note what a frame of a scene that was just rendered has written besides its image."""
        if self.collecting:
            with contextlib.suppress(Exception):  # the script may have broken anything
                for files in declared.of_render(scene):
                    with self._lock:
                        self._declared[files] = None

    def add_images(self) -> None:
        """Add the files of the images in Blender's data that were written since `begin`."""
        if not self.collecting:
            return
        with contextlib.suppress(Exception):  # the script may have broken anything
            for files in declared.of_images():
                if isinstance(files, str):
                    self.add_written(files)
                else:
                    self._declared[files] = None

    def add(self, path: str) -> None:
        with self._lock:
            if self._paths is not None:
                self._paths[os.path.abspath(path)] = None

    def forget(self, folder: str) -> None:
        """Leave out the files of a folder, which were only made on the way."""
        with self._lock:
            for path in list(self._paths or ()):
                if self._paths is not None and os.path.dirname(path) == os.path.abspath(folder):
                    del self._paths[path]

    def add_written(self, path: str) -> bool:
        """Add a path if it is a file that was written since the run began."""
        path = os.path.abspath(path)
        try:
            found = os.stat(path)
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode):
            return False  # "", the path of a scene that was never saved, is the working directory
        if found.st_mtime < self._since or self._before.get(path) == _signature(found):
            return False
        self.add(path)
        return True

    @property
    def collecting(self) -> bool:
        return self._paths is not None


def _signature(of: os.stat_result) -> tuple[int, ...]:
    """Return numbers that differ when a file was written again."""
    return of.st_mtime_ns, of.st_size, of.st_ino


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
def _on_render_post(scene: bpy.types.Scene, *_args: object) -> None:
    collector.declare_render(scene)


@persistent
def _on_load_pre(*_args: object) -> None:
    # The images that a script has saved are about to go.
    collector.add_images()


@persistent
def _on_render_write(scene: bpy.types.Scene, *_args: object) -> None:
    """Add the image or frame that was written; may be called on the render's own thread."""
    if not collector.collecting:
        return
    render = scene.render
    # The path of a still is the path that was set; the path of an animation's frame has a
    # number in it. Blender does not say which of the two it wrote, so both are tried.
    numbered = locations.absolute(render.frame_path(frame=scene.frame_current))
    set_path = render.filepath
    extension = render.file_extension
    if render.use_file_extension and not set_path.lower().endswith(extension):
        set_path += extension
    for path in (numbered, locations.absolute(set_path)):
        if collector.add_written(path):
            if collector.tell_picture is not None:
                collector.tell_picture(path)
            return


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
    (bpy.app.handlers.render_post, _on_render_post),
    (bpy.app.handlers.render_write, _on_render_write),
    (bpy.app.handlers.load_pre, _on_load_pre),
    (bpy.app.handlers.save_post, _on_save_post),
)
if getattr(bpy.app, "module", False) and bpy.app.version >= (5, 0, 0):
    # Everywhere else the supervisor reads the progress from the output.
    _HANDLERS += ((bpy.app.handlers.render_stats, _on_render_stats),)
