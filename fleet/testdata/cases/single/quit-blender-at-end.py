# expect: all done; success, because the script is over
import bpy

print("all done")
bpy.ops.wm.quit_blender()
