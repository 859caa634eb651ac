# SPDX-License-Identifier: GPL-3.0-or-later
"""First light: a small picture, rendered in a few seconds on any machine.

Save this file in a watched folder and it runs; change a number below and save again. The
picture is written to `out/first_light.png` beside this file.
"""

import math
import os
import random

import bpy

SEED = 7  # another number, another arrangement
SPHERES = 60
SIZE = 480  # pixels, square
SAMPLES = 24  # more is smoother and slower


def material(name, color, roughness, metallic=0.0):
    """Return a material of one colour."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*color, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    return made


def sphere(location, radius, look):
    """Add a smooth sphere."""
    bpy.ops.mesh.primitive_uv_sphere_add(radius=radius, location=location, segments=32)
    made = bpy.context.object
    bpy.ops.object.shade_smooth()
    made.data.materials.append(look)


def build():
    """Put spheres on a spiral that rises around a golden one."""
    for name in ("Cube", "Light"):
        if name in bpy.data.objects:
            bpy.data.objects.remove(bpy.data.objects[name])
    pick = random.Random(SEED)
    looks = [
        material("Coral", (0.9, 0.18, 0.12), 0.25),
        material("Sea", (0.02, 0.25, 0.35), 0.2),
        material("Ivory", (0.85, 0.78, 0.62), 0.4),
        material("Slate", (0.07, 0.08, 0.11), 0.15),
    ]
    gold = material("Gold", (1.0, 0.62, 0.2), 0.12, metallic=1.0)
    golden_angle = math.pi * (3 - math.sqrt(5))
    for i in range(1, SPHERES + 1):
        distance = 0.42 * math.sqrt(i) + 0.85
        radius = pick.uniform(0.1, 0.3)
        angle = i * golden_angle
        place = (distance * math.cos(angle), distance * math.sin(angle), radius)
        sphere(place, radius, pick.choice(looks))
    sphere((0, 0, 0.85), 0.85, gold)
    bpy.ops.mesh.primitive_plane_add(size=80)
    bpy.context.object.data.materials.append(material("Floor", (0.36, 0.37, 0.4), 0.6))


def light_and_camera(scene):
    """Two soft lamps, one warm and one cool, under a dim sky."""
    for name, place, energy, color, size in (
        ("Warm", (5, -4, 6), 900, (1.0, 0.78, 0.55), 4),
        ("Cool", (-6, -2, 4), 380, (0.5, 0.7, 1.0), 5),
    ):
        lamp = bpy.data.lights.new(name, "AREA")
        lamp.energy, lamp.color, lamp.size = energy, color, size
        made = bpy.data.objects.new(name, lamp)
        made.location = place
        scene.collection.objects.link(made)
        aim = made.constraints.new("TRACK_TO")
        aim.target = bpy.data.objects["Sphere"]
    if scene.world is None:
        scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.03, 0.04, 0.07, 1)
    camera = scene.camera
    camera.location = (0, -8.2, 4.6)
    camera.rotation_euler = (math.radians(62), 0, 0)
    camera.data.lens = 50
    camera.data.dof.use_dof = True
    camera.data.dof.focus_distance = 8.6
    camera.data.dof.aperture_fstop = 0.9


def render(scene):
    """Render with Cycles, which needs neither a screen nor a graphics card."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False  # not every build has a denoiser
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    folder = os.path.dirname(os.path.abspath(__file__))
    scene.render.filepath = os.path.join(folder, "out", "first_light.png")
    bpy.ops.render.render(write_still=True)
    return scene.render.filepath


scene = bpy.context.scene
build()
light_and_camera(scene)
result = {"picture": render(scene), "objects": len(scene.objects)}
print("rendered", result["picture"])
