# expect: the script in the file runs, because this script asks for it
import os

import bpy

path = os.path.join(os.path.dirname(__file__), "embedded.blend")
bpy.ops.wm.open_mainfile(filepath=path, use_scripts=True)
print("it ran:", "CASE" in bpy.app.driver_namespace)
