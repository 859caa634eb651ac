# expect: [] (nothing of the program that runs the script is in the user's file)
import os
import tempfile

import bpy

path = os.path.join(tempfile.mkdtemp(), "saved.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.open_mainfile(filepath=path)
print(sorted(bpy.context.scene.keys()))
