# expect: None: the user's file has no extras of the program that runs the script
import json
import os
import tempfile

import bpy

path = os.path.join(tempfile.mkdtemp(), "scene.gltf")
bpy.ops.export_scene.gltf(filepath=path, export_format="GLTF_SEPARATE", export_extras=True)
print(json.load(open(path))["scenes"][0].get("extras"))
