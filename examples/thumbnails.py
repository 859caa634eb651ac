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
import urllib.parse

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
    # Blender's own arguments come first.
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=HERE)
    parser.add_argument("--size", type=int, default=256, help="pixels, square")
    chosen = parser.parse_args(given())
    if chosen.size < 16:
        raise SystemExit("a thumbnail needs 16 pixels")
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
    shown = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "VOLUME", "POINTCLOUD"}
    points = [
        instance.matrix_world @ Vector(corner)
        for instance in bpy.context.evaluated_depsgraph_get().object_instances
        if instance.object.type in shown and not instance.object.hide_render
        for corner in instance.object.bound_box
    ] or [Vector((-1, -1, -1)), Vector((1, 1, 1))]
    middle = (Vector(map(min, *points)) + Vector(map(max, *points))) / 2
    camera = bpy.data.objects.new("Thumbnail", bpy.data.cameras.new("Thumbnail"))
    back = Vector((0.6, -0.8, 0.5)).normalized()
    turn = back.to_track_quat("Z", "Y")
    # As near as all corners stay in view.
    spread, distance = math.tan(camera.data.angle / 2) * 0.92, 1e-3
    for point in points:
        seen = turn.inverted() @ (point - middle)
        distance = max(distance, seen.z + max(abs(seen.x), abs(seen.y)) / spread)
    camera.location = middle + back * distance
    camera.rotation_euler = turn.to_euler()
    camera.data.clip_start = distance / 1000
    camera.data.clip_end = 4 * distance
    scene.collection.objects.link(camera)
    scene.camera = camera


def take(source, picture, size):
    """Render a file's scene to a picture."""
    bpy.ops.wm.open_mainfile(filepath=source, load_ui=False, use_scripts=False)
    scene = bpy.context.scene
    if scene.camera is None:
        frame_everything(scene)
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.use_border = render.use_compositing = render.use_sequencer = False
    if hasattr(render.image_settings, "media_type"):  # Blender 5
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.film_transparent = True
    scene.display.shading.light = "STUDIO"
    scene.display.shading.color_type = "MATERIAL"
    scene.display.shading.show_cavity = True
    bpy.ops.render.render()
    os.makedirs(os.path.dirname(picture), exist_ok=True)
    unfinished = picture[: -len(".png")] + ".unfinished.png"
    image = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    image.save_render(unfinished, scene=scene)
    os.replace(unfinished, picture)
    add_output(picture)


def is_newer(picture, source):
    try:
        return os.path.getmtime(picture) > os.path.getmtime(source)
    except OSError:
        return False


def figure(name, reason):
    text = html.escape(name[: -len(".png")])
    if reason is not None:
        text += ": " + html.escape(reason)
        return f'<figure><div class="none"></div><figcaption>{text}</figcaption></figure>'
    link = urllib.parse.quote(name.replace(os.sep, "/"))
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
            except Exception as error:
                reason = failed[source] = str(error).strip()
        figures.append(figure(name, reason))
    page = os.path.join(out, "index.html")
    with open(page + ".new", "w", encoding="utf-8") as file:
        file.write(PAGE.format(size=chosen.size, figures="\n".join(figures)))
    os.replace(page + ".new", page)
    add_output(page)
    progress(1.0)
    print(f"{len(made)} made, {len(kept)} kept, {len(failed)} failed: {page}")
    return {"made": made, "kept": kept, "failed": failed, "page": page}


result = main()
