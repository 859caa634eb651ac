# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a small picture of the scene that a run has left, and changes nothing in the scene."""

from __future__ import annotations

import contextlib
import math
import os
from typing import TYPE_CHECKING, Any, cast

import bpy
from mathutils import Euler, Vector

from . import outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

# The longer side of a small picture, in pixels.
_SIZE = 480
# How a camera is turned to look from an angle, in degrees; whether it shows no perspective.
_ANGLES = {
    "three-quarter": ((63.0, 0.0, 42.0), False),
    "front": ((90.0, 0.0, 0.0), True),
    "right": ((90.0, 0.0, 90.0), True),
    "top": ((0.0, 0.0, 0.0), True),
}
# The types of objects that a render shows.
_VISIBLE = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "VOLUME"}
# What takes too long to render, counted with modifiers and instances.
_MOST_INSTANCES = 20_000
_MOST_POLYGONS = 3_000_000
# The most that Cycles may spend on samples, in seconds: of a small picture, and of a large one.
_SAMPLE_TIME = 2.0
_LARGE_SAMPLE_TIME = 10.0


class NoPreview(Exception):
    """The scene has nothing to see, or is too large, or can't be rendered."""


def render(
    path: str, engine: str, size: int = _SIZE, view: str = "camera", focus: str = ""
) -> None:
    """Render the scene to a JPEG file, with "cycles", "eevee" or "workbench".

    The longer side has `size` pixels. The view "camera" looks through the scene's camera, or from
    an angle where the scene has none; the others, "front", "right", "top" and "three-quarter",
    show all, or the object `focus` alone. With "picture" nothing is rendered: the file is what was
    rendered last, made small.
    Raises NoPreview when there is nothing to see, the scene is too large, or this Blender does not
    have the engine.
    """
    if engine == "picture":
        _shrink_rendered(path)
        return
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if scene is None or layer is None:
        raise NoPreview("there is no scene")
    bounds = _visible_corners(bpy.context.evaluated_depsgraph_get(), focus)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_handlers())
        # Removing what was added updates the scene: that must happen before the handlers are
        # back.
        stack.callback(layer.update)
        copy = scene.copy()
        stack.callback(bpy.data.scenes.remove, copy)
        if copy.camera is None or view != "camera" or focus:
            _add_camera(copy, bounds, "three-quarter" if view == "camera" else view, stack)
        _add_light(copy, stack)
        _set_up(copy, path, engine, size)
        bpy.ops.render.render(write_still=True, scene=copy.name)


def _shrink_rendered(path: str) -> None:
    """Save what was rendered last, as a small JPEG file."""
    rendered, scene = bpy.data.images.get("Render Result"), bpy.context.scene
    if rendered is None or scene is None:
        raise NoPreview("nothing was rendered")
    render: Any = scene.render
    settings = render.image_settings
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_handlers())
        # What was rendered belongs to this scene, so that a copy of it would not do.
        # The format decides which modes of colour there are, so it is put back first.
        wanted = [("quality", 95), ("color_mode", "RGB"), ("file_format", "JPEG")]
        if hasattr(settings, "media_type"):  # since 5.0, where a movie is no JPEG
            wanted.insert(2, ("media_type", "IMAGE"))
        before = [(name, getattr(settings, name)) for name, _ in wanted]
        stack.callback(_set_all, settings, [*before[2:], *before[:2]])
        _set_all(settings, wanted)
        why = ""
        try:
            rendered.save_render(path)
        except RuntimeError as error:  # 3.4 raises it for several views, which it has saved
            why = str(error).strip()
        if render.use_multiview:
            _keep_one_view(path, render)
        if not os.path.exists(path):
            raise NoPreview(why)
        image = bpy.data.images.load(path)
        stack.callback(bpy.data.images.remove, image)
        width, height = image.size
        if max(width, height) > _SIZE:
            scale = _SIZE / max(width, height)
            image.scale(max(1, round(width * scale)), max(1, round(height * scale)))
            image.file_format = "JPEG"
            image.save()


def _set_all(owner: Any, values: list[tuple[str, Any]]) -> None:
    for name, value in values:
        setattr(owner, name, value)


def _keep_one_view(path: str, render: Any) -> None:
    """Put the picture of the first view into the place of those of all views."""
    stem, extension = os.path.splitext(path)
    for view in render.views:
        with contextlib.suppress(OSError):
            if os.path.exists(path):
                os.unlink(f"{stem}{view.file_suffix}{extension}")
            else:
                os.rename(f"{stem}{view.file_suffix}{extension}", path)


def _visible_corners(depsgraph: bpy.types.Depsgraph, focus: str) -> list[Vector]:
    """Return the corners of the bounding boxes of all visible objects, or of one by its name."""
    corners = []
    polygons = 0
    for count, instance in enumerate(depsgraph.object_instances):
        ob = instance.object
        if ob is None or ob.type not in _VISIBLE:
            continue
        polygons += len(ob.data.polygons) if isinstance(ob.data, bpy.types.Mesh) else 0
        if count > _MOST_INSTANCES or polygons > _MOST_POLYGONS:
            raise NoPreview("the scene is too large for a preview")
        if instance.show_self and focus in ("", ob.name):
            matrix = instance.matrix_world
            corners += [matrix @ Vector(corner) for corner in ob.bound_box]
    corners = [c for c in corners if all(map(math.isfinite, c.to_tuple()))]
    if not corners:
        raise NoPreview(f"{focus} can't be seen" if focus else "there is nothing to see")
    return corners


@contextlib.contextmanager
def _quiet_handlers() -> Iterator[None]:
    """Take away the handlers that scripts have registered, for the time of the render."""
    own = outputs.own_handlers()
    lists = [
        (handlers, list(handlers))
        for handlers in map(bpy.app.handlers.__getattribute__, dir(bpy.app.handlers))
        if isinstance(handlers, list)
    ]
    for handlers, before in lists:
        handlers[:] = [handler for handler in before if handler in own]
    try:
        yield
    finally:
        for handlers, before in lists:
            handlers[:] = before


def _add_camera(
    scene: bpy.types.Scene, corners: list[Vector], view: str, stack: contextlib.ExitStack
) -> None:
    data = bpy.data.cameras.new("Preview")
    stack.callback(bpy.data.cameras.remove, data)
    camera = bpy.data.objects.new("Preview", data)
    stack.callback(bpy.data.objects.remove, camera)
    angles, flat = _ANGLES[view]
    camera.rotation_euler = Euler([math.radians(angle) for angle in angles])
    scene.collection.objects.link(camera)
    scene.camera = camera
    layer = scene.view_layers[0]
    layer.update()
    if flat:
        _look_without_perspective(scene, camera, corners)
    else:
        values = [value for corner in corners for value in corner.to_tuple()]
        camera.location, _ = camera.camera_fit_coords(layer.depsgraph, values)
    distance = max((camera.location - corner).length for corner in corners)
    data.clip_end = max(data.clip_end, 2 * distance)
    data.clip_start = min(data.clip_start, distance / 1000) or data.clip_start


def _look_without_perspective(scene: Any, camera: Any, corners: list[Vector]) -> None:
    """Have a camera that is turned already show all corners, with a margin."""
    turn = camera.rotation_euler.to_matrix()
    seen = [turn.transposed() @ corner for corner in corners]
    least = [min(corner[axis] for corner in seen) for axis in range(3)]
    most = [max(corner[axis] for corner in seen) for axis in range(3)]
    render = scene.render
    width = render.resolution_x * render.pixel_aspect_x
    height = render.resolution_y * render.pixel_aspect_y
    # The scale of such a camera is the longer side of the picture.
    longer = max(width, height)
    needed = max(
        (most[0] - least[0]) * longer / width, (most[1] - least[1]) * longer / height, 1e-6
    )
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = 1.08 * needed
    depth = most[2] - least[2] + needed
    camera.location = turn @ Vector(
        ((least[0] + most[0]) / 2, (least[1] + most[1]) / 2, most[2] + depth)
    )


def _add_light(scene: bpy.types.Scene, stack: contextlib.ExitStack) -> None:
    """Add a world and a lamp where the scene has none: mostly its author has only left them out."""
    if scene.world is None:
        world = bpy.data.worlds.new("Preview")
        stack.callback(bpy.data.worlds.remove, world)
        world.color = (0.2, 0.2, 0.2)
        scene.world = world
    if any(ob.type == "LIGHT" for ob in scene.objects):
        return
    data = cast("bpy.types.SunLight", bpy.data.lights.new("Preview", "SUN"))
    stack.callback(bpy.data.lights.remove, data)
    data.energy = 3
    sun = bpy.data.objects.new("Preview", data)
    stack.callback(bpy.data.objects.remove, sun)
    sun.rotation_euler = Euler((math.radians(40), math.radians(-15), math.radians(10)))
    scene.collection.objects.link(sun)


# `scene` is Any because the stubs do not know the render engines and their properties.
def _set_up(scene: Any, path: str, engine: str, size: int) -> None:
    large = size > _SIZE
    render = scene.render
    width = render.resolution_x * render.pixel_aspect_x
    height = render.resolution_y * render.pixel_aspect_y
    scale = size / max(width, height)
    render.resolution_x = max(16, round(width * scale))
    render.resolution_y = max(16, round(height * scale))
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1
    for switch in (
        "use_border",
        "use_compositing",
        "use_freestyle",
        "use_motion_blur",
        "use_multiview",
        "use_persistent_data",
        "use_sequencer",
        "use_stamp",
    ):
        if hasattr(render, switch):
            setattr(render, switch, False)
    if not large:
        render.use_simplify = True
        render.simplify_subdivision_render = min(1, render.simplify_subdivision_render)
    render.use_file_extension = False
    render.use_overwrite = True
    render.filepath = path
    settings = render.image_settings
    settings.file_format = "JPEG"
    settings.color_mode = "RGB"
    settings.quality = 85
    if engine == "cycles":
        try:
            render.engine = "CYCLES"
        except TypeError:
            raise NoPreview("this Blender has no Cycles") from None
        cycles = scene.cycles
        cycles.device = "CPU"
        cycles.samples = 64 if large else 16
        cycles.use_denoising = False
        cycles.max_bounces = 4
        if hasattr(cycles, "time_limit"):
            cycles.time_limit = _LARGE_SAMPLE_TIME if large else _SAMPLE_TIME
    elif engine == "eevee":
        try:
            render.engine = "BLENDER_EEVEE"
        except TypeError:
            render.engine = "BLENDER_EEVEE_NEXT"  # from 4.2 to 4.5
    else:
        render.engine = "BLENDER_WORKBENCH"
        shading = scene.display.shading
        shading.light = "STUDIO"
        shading.color_type = "MATERIAL"
        shading.show_shadows = True
        shading.show_cavity = True
