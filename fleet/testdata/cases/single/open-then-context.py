# expect: as in a cold Blender
import os

import bpy

bpy.ops.wm.open_mainfile(filepath=os.path.join(os.path.dirname(__file__), "embedded.blend"))
context = bpy.context
print(context.window is not None, context.area, context.scene.name, bool(bpy.data.filepath))
windows = context.window_manager.windows
print(len(windows))
view = next(area for area in windows[0].screen.areas if area.type == "VIEW_3D")
with context.temp_override(window=windows[0], area=view):
    print(bpy.ops.view3d.snap_cursor_to_center())
