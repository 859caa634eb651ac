# expect: as in a cold Blender
import bpy

context = bpy.context
print(context.window is not None, context.area, context.region, context.mode)
for window in context.window_manager.windows:
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            main = next(region for region in area.regions if region.type == "WINDOW")
            with context.temp_override(window=window, area=area, region=main):
                print(bpy.ops.view3d.snap_cursor_to_center(), bpy.context.area.type)
