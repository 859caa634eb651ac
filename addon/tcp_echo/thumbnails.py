# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes thumbnails of images and movies, in a Blender that does nothing else.

Blender executes this file: `blender --background --factory-startup --python thumbnails.py`. Each
line of standard input is a JSON object with `from`, the path of a file, `to`, the path of the JPEG,
`movie` and `size`, the longer side in pixels. The answer to each is a line that begins with `MARK`.
The process ends with standard input.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import bpy

MARK = "thumbnail: "


def serve() -> None:
    """Answer the requests on standard input until it ends."""
    if sys.platform != "win32":
        os.nice(19)
    for line in sys.stdin:
        wanted = json.loads(line)
        answer: dict[str, str] = {}
        try:
            make(wanted["from"], wanted["to"], wanted["movie"], wanted["size"])
        except Exception as error:
            answer["error"] = str(error).strip() or type(error).__name__
        print(f"\n{MARK}{json.dumps(answer)}", flush=True)


def make(path: str, to: str, movie: bool, size: int) -> None:
    """Write a JPEG of an image, or of the frame in the middle of a movie.

    Raises RuntimeError when Blender can't read the file.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    # `scene` is Any because the stubs know one version of Blender.
    scene: Any = bpy.context.scene
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # since 5.0
        settings.media_type = "IMAGE"
    settings.file_format = "JPEG"
    settings.color_mode = "RGB"
    settings.quality = 85
    if movie:
        _make_of_movie(scene, path, to, size)
    else:
        _make_of_image(scene, path, to, size)
    if not os.path.exists(to):
        raise RuntimeError("Blender has written no thumbnail")


def _make_of_image(scene: Any, path: str, to: str, size: int) -> None:
    image: Any = bpy.data.images.load(path)
    width, height = image.size  # reads the file
    if image.type == "MULTILAYER":  # known since the file was read
        _make_of_layers(scene, image, bpy.data.movieclips.load(path).size, to, size)
        return
    if not width or not height:
        raise RuntimeError("Blender can't read the file")
    # Only values of light are seen as a scene sees them.
    if not image.colorspace_settings.name.startswith("Linear"):
        scene.view_settings.view_transform = "Standard"
    scale = size / max(width, height)
    if scale < 1:
        image.scale(max(1, round(width * scale)), max(1, round(height * scale)))
    image.save_render(to, scene=scene)


def _make_of_layers(scene: Any, image: Any, whole: Any, to: str, size: int) -> None:
    """Write the first layer of an image with several, which the compositor alone can read."""
    _set_size(scene, whole, size, to)
    if hasattr(scene, "compositing_node_group"):  # since 5.0
        tree: Any = bpy.data.node_groups.new("Thumbnail", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        end = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        end = tree.nodes.new("CompositorNodeComposite")
    source = tree.nodes.new("CompositorNodeImage")
    source.image = image
    outputs = [o for o in source.outputs if o.enabled]
    best = next((o for o in outputs if "Combined" in o.name or o.name == "Image"), outputs[0])
    scaled = tree.nodes.new("CompositorNodeScale")
    if hasattr(scaled, "space"):
        scaled.space = "RENDER_SIZE"
    else:
        scaled.inputs["Type"].default_value = "Render Size"
    tree.links.new(best, scaled.inputs[0])
    tree.links.new(scaled.outputs[0], end.inputs[0])
    bpy.ops.render.render(write_still=True)


def _make_of_movie(scene: Any, path: str, to: str, size: int) -> None:
    movie: Any = bpy.data.movieclips.load(path)
    if not movie.frame_duration or not movie.size[0]:
        raise RuntimeError("Blender can't read the movie")
    middle = 1 + movie.frame_duration // 2
    _set_size(scene, movie.size, size, to)
    scene.view_settings.view_transform = "Standard"
    editor: Any = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # since 4.4
    strips.new_movie("Thumbnail", path, channel=1, frame_start=1, fit_method="FIT")
    scene.frame_start, scene.frame_end = 1, max(1, movie.frame_duration)
    scene.frame_set(middle)
    scene.render.use_sequencer = True
    bpy.ops.render.render(write_still=True)


def _set_size(scene: Any, of: Any, size: int, to: str) -> None:
    """Have the render be as large as the thumbnail."""
    scale = min(1.0, size / max(of))
    render = scene.render
    render.resolution_x = max(4, round(of[0] * scale))
    render.resolution_y = max(4, round(of[1] * scale))
    render.resolution_percentage = 100
    render.use_file_extension = False
    render.filepath = to


if __name__ == "__main__":
    serve()
