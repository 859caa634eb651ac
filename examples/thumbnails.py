# SPDX-License-Identifier: GPL-3.0-or-later
"""Thumbnails: a picture of each .blend of a folder, and a page that shows them all.

    blendtray run thumbnails.py -- ~/models
    blender -b --factory-startup --python thumbnails.py -- ~/models

Writes PNGs and `index.html` to `out/thumbnails`, beside this file. The scene's camera is used
where it has one. Pictures that are newer than their file are kept; a file that can't be opened
is shown as such.
"""

import argparse
import html
import math
import os
import sys

import bpy
from mathutils import Vector

try:
    from tcp_echo import add_output, progress
except ImportError:  # plain Blender

    def add_output(path):
        pass

    def progress(fraction, text=""):
        print(f"{fraction:4.0%}  {text}")


HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Thumbnails</title>
<style>
body {{ background: #232323; color: #ddd; font: 14px sans-serif; margin: 2em }}
figure {{ display: inline-block; margin: 0 1em 1em 0; width: {size}px; vertical-align: top }}
img, .none {{ width: {size}px; height: {size}px; background: #333; border-radius: 6px }}
figcaption {{ overflow-wrap: anywhere; padding: .4em 0 }}
</style>
{figures}
"""


def given():
    """Return the arguments that are the script's own."""
    if "--" in sys.argv:  # plain Blender: what comes before is Blender's
        return sys.argv[sys.argv.index("--") + 1 :]
    return sys.argv[1:] if "tcp_echo" in sys.modules else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=HERE)
    parser.add_argument("--size", type=int, default=256, help="pixels, square")
    chosen = parser.parse_args(given())
    chosen.folder = os.path.abspath(os.path.expanduser(chosen.folder))
    if not os.path.isdir(chosen.folder):
        raise SystemExit(f"there is no folder {chosen.folder}")
    return chosen


def blend_files(top):
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".blend"):
                yield os.path.join(folder, name)


def frame_everything(scene):
    """Add a camera that has all of the scene in view."""
    points = [
        item.matrix_world @ Vector(corner)
        for item in scene.objects
        if item.type not in {"CAMERA", "LIGHT", "EMPTY", "SPEAKER"} and not item.hide_render
        for corner in item.bound_box
    ]
    low = Vector(map(min, *points)) if points else Vector((-1, -1, -1))
    high = Vector(map(max, *points)) if points else Vector((1, 1, 1))
    camera = bpy.data.objects.new("Thumbnail", bpy.data.cameras.new("Thumbnail"))
    radius = max((high - low).length / 2, 1e-3)
    distance = 1.1 * radius / math.sin(camera.data.angle / 2)
    camera.location = (low + high) / 2 + Vector((0.6, -0.8, 0.5)).normalized() * distance
    camera.rotation_euler = ((low + high) / 2 - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.clip_end = 4 * distance
    scene.collection.objects.link(camera)
    scene.camera = camera


def take(source, picture, size):
    """Render a file's scene to a picture."""
    bpy.ops.wm.open_mainfile(filepath=source, load_ui=False)
    scene = bpy.context.scene
    if scene.camera is None:
        bpy.context.view_layer.update()
        frame_everything(scene)
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.use_compositing = render.use_sequencer = False
    render.image_settings.file_format = "PNG"
    render.film_transparent = True
    scene.display.shading.light = "STUDIO"
    scene.display.shading.color_type = "MATERIAL"
    scene.display.shading.show_cavity = True
    render.filepath = picture
    bpy.ops.render.render(write_still=True)


def is_newer(picture, source):
    try:
        return os.path.getmtime(picture) > os.path.getmtime(source)
    except OSError:
        return False


def figure(name, source, reason):
    text = html.escape(os.path.basename(source)[: -len(".blend")])
    if reason is not None:
        text += ": " + html.escape(reason)
        return f'<figure><div class="none"></div><figcaption>{text}</figcaption></figure>'
    link = html.escape(name.replace(os.sep, "/"), quote=True)
    return f'<figure><img src="{link}" alt=""><figcaption>{text}</figcaption></figure>'


def main():
    chosen = arguments()
    out = os.path.join(HERE, "out", "thumbnails")
    os.makedirs(out, exist_ok=True)
    files = list(blend_files(chosen.folder))
    made, kept, failed, figures = [], [], {}, []
    for number, source in enumerate(files):
        progress(number / len(files), os.path.basename(source))
        name = os.path.relpath(source, chosen.folder)[: -len(".blend")] + ".png"
        picture = os.path.join(out, name)
        reason = None
        if is_newer(picture, source):
            kept.append(source)
        else:
            try:
                take(source, picture, chosen.size)
                made.append(source)
            except RuntimeError as error:
                reason = failed[source] = str(error).strip()
        figures.append(figure(name, source, reason))
    page = os.path.join(out, "index.html")
    with open(page + ".new", "w", encoding="utf-8") as file:
        file.write(PAGE.format(size=chosen.size, figures="\n".join(figures)))
    os.replace(page + ".new", page)
    add_output(page)
    progress(1.0)
    print(f"{len(made)} made, {len(kept)} kept, {len(failed)} failed: {page}")
    return {"made": made, "kept": kept, "failed": failed, "page": page}


result = main()
