# expect: where the picture of an unsaved file with a relative path lies
import os

import bpy

scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.render.resolution_x = scene.render.resolution_y = 8
scene.render.filepath = "//case_relative.png"
try:
    bpy.ops.render.render(write_still=True)
except RuntimeError as error:
    print(str(error).strip())
for path in ("case_relative.png", "/case_relative.png"):
    print(path, os.path.exists(path))
    if os.path.exists(path):
        os.remove(path)
