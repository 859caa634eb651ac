# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural scene: a small town on an island, another one for each seed.

    blendtray run procedural_scene.py -- --seed 5
    blender -b --factory-startup --python procedural_scene.py -- --seed 5

Writes `out/town_SEED.png` and `out/town_SEED.blend` beside this file.
"""

import argparse
import math
import os
import random
import sys

import bmesh
import bpy
from mathutils import Matrix, Vector

HERE = os.path.dirname(os.path.abspath(__file__))
PALETTE = {
    "Plaster": (0.85, 0.78, 0.66),
    "Brick": (0.55, 0.16, 0.09),
    "Ochre": (0.8, 0.45, 0.12),
    "Roof": (0.32, 0.07, 0.05),
    "Grass": (0.16, 0.33, 0.07),
    "Sand": (0.75, 0.6, 0.36),
    "Sea": (0.02, 0.16, 0.25),
    "Leaves": (0.06, 0.22, 0.05),
}


def given():
    """Return the arguments that are the script's own."""
    # Blender's own arguments come first.
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--houses", type=int, default=70)
    parser.add_argument("--size", type=int, default=480, help="pixels, square")
    parser.add_argument("--samples", type=int, default=24)
    chosen = parser.parse_args(given())
    if chosen.houses < 0 or chosen.size < 16 or chosen.samples < 1:
        raise SystemExit("no fewer than 0 houses, 16 pixels and 1 sample will do")
    return chosen


def materials():
    made = {}
    for name, color in PALETTE.items():
        made[name] = bpy.data.materials.new(name)
        made[name].diffuse_color = (*color, 1)
        made[name].use_nodes = True
        shader = made[name].node_tree.nodes["Principled BSDF"]
        shader.inputs["Base Color"].default_value = (*color, 1)
        shader.inputs["Roughness"].default_value = 0.15 if name == "Sea" else 0.8
    return made


class Builder:
    """Gathers one kind of geometry in one mesh, with a material for each face."""

    def __init__(self, name, looks):
        self.name = name
        self.mesh = bmesh.new()
        self.looks = list(looks.values())
        self.slots = {look: slot for slot, look in enumerate(looks)}

    def face(self, corners, look):
        made = self.mesh.faces.new([self.mesh.verts.new(corner) for corner in corners])
        made.material_index = self.slots[look]

    def cone(self, matrix, radius, top, depth, sides, look):
        before = set(self.mesh.faces)
        bmesh.ops.create_cone(
            self.mesh,
            cap_ends=True,
            segments=sides,
            radius1=radius,
            radius2=top,
            depth=depth,
            matrix=matrix,
        )
        for face in set(self.mesh.faces) - before:
            face.material_index = self.slots[look]

    def finish(self):
        data = bpy.data.meshes.new(self.name)
        self.mesh.to_mesh(data)
        self.mesh.free()
        for look in self.looks:
            data.materials.append(look)
        item = bpy.data.objects.new(self.name, data)
        bpy.context.scene.collection.objects.link(item)
        return item


def house(builder, pick, place, heading):
    """Add four walls and a gabled roof."""
    long, wide, high = pick.uniform(0.5, 0.9), pick.uniform(0.4, 0.6), pick.uniform(0.4, 1.0)
    frame = Matrix.Translation(place) @ Matrix.Rotation(heading, 4, "Z")
    walls = pick.choice(("Plaster", "Plaster", "Brick", "Ochre"))
    x, y = long / 2, wide / 2
    ridge, eaves = high + wide * 0.55, 0.06

    def add(corners, look):
        builder.face([frame @ Vector(corner) for corner in corners], look)

    ring = [(-x, -y), (x, -y), (x, y), (-x, y)]
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
        add([(ax, ay, 0), (bx, by, 0), (bx, by, high), (ax, ay, high)], walls)
    for side in (-1, 1):
        add([(side * x, -y, high), (side * x, y, high), (side * x, 0, ridge)], walls)
        edge = side * (y + eaves)
        low, end = high - eaves, x + eaves
        top = ridge + 0.03
        add([(-end, edge, low), (end, edge, low), (end, 0, top), (-end, 0, top)], "Roof")


def build(seed, houses):
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    pick = random.Random(seed)
    looks = materials()

    land = Builder("Island", looks)
    land.cone(Matrix.Translation((0, 0, -0.3)), 7.2, 6.4, 0.5, 96, "Sand")
    land.cone(Matrix.Translation((0, 0, -0.13)), 6.3, 6.0, 0.26, 96, "Grass")
    land.face([(-40, -40, -0.4), (40, -40, -0.4), (40, 40, -0.4), (-40, 40, -0.4)], "Sea")
    land.finish()

    town, wood = Builder("Town", looks), Builder("Trees", looks)
    taken = []

    def free(radius, room):
        for _ in range(40):
            angle, distance = pick.uniform(0, 2 * math.pi), radius * math.sqrt(pick.random())
            place = Vector((distance * math.cos(angle), distance * math.sin(angle), 0))
            if all((place - other).length > room + space for other, space in taken):
                taken.append((place, room))
                return place, angle
        return None

    town.cone(Matrix.Translation((0, 0, 1.5)), 0.45, 0.38, 3.0, 24, "Plaster")
    town.cone(Matrix.Translation((0, 0, 3.4)), 0.5, 0.0, 0.9, 24, "Roof")
    taken.append((Vector((0, 0, 0)), 0.9))
    built = 0
    for _ in range(houses):
        spot = free(4.6, 0.47)
        if spot is not None:
            house(town, pick, *spot)
            built += 1
    for _ in range(3 * houses):
        spot = free(5.8, 0.2)
        if spot is not None:
            tall = pick.uniform(0.5, 1.0)
            middle = Matrix.Translation(spot[0] + Vector((0, 0, tall / 2)))
            wood.cone(middle, 0.2, 0.0, tall, 9, "Leaves")
    town.finish()
    wood.finish()
    return built


def light_and_camera(scene):
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle = 4.5, 0.03
    sun.data.color = (1.0, 0.86, 0.68)
    sun.rotation_euler = (0.95, 0.1, 0.9)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0, -17.2, 11.4)
    ahead = Vector((0, 0, 0.4)) - camera.location
    camera.rotation_euler = ahead.to_track_quat("-Z", "Y").to_euler()
    for item in (sun, camera):
        scene.collection.objects.link(item)
    scene.camera = camera
    if scene.world is None:
        scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.35, 0.55, 0.8, 1)
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.7


chosen = arguments()
active = bpy.context.scene
count = build(chosen.seed, chosen.houses)
light_and_camera(active)
active.render.engine = "CYCLES"
active.cycles.samples = chosen.samples
active.cycles.use_denoising = False  # not every build has a denoiser
active.render.resolution_x = active.render.resolution_y = chosen.size
active.render.resolution_percentage = 100
base = os.path.join(HERE, "out", f"town_{chosen.seed}")
active.render.filepath = base + ".png"
os.makedirs(os.path.dirname(base), exist_ok=True)
bpy.ops.render.render(write_still=True)
bpy.ops.wm.save_as_mainfile(filepath=base + ".blend", compress=True)
print(f"{count} houses; rendered {base}.png")
result = {"seed": chosen.seed, "houses": count, "picture": base + ".png", "scene": base + ".blend"}
