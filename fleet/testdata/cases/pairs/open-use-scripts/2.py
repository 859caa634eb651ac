# expect: it ran: False, because the factory preferences do not allow it
import os

import bpy

path = os.path.join(os.path.dirname(__file__), "embedded.blend")
bpy.ops.wm.open_mainfile(filepath=path)
print("it ran:", "CASE" in bpy.app.driver_namespace)
