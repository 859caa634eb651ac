# expect: FINISHED
import os
import tempfile

import bpy

print(bpy.ops.export_scene.gltf(filepath=os.path.join(tempfile.mkdtemp(), "scene.glb")))
